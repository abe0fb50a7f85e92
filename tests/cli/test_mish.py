"""Mish and Softplus as people write them in torch, through the command line, beside another function of ONNX."""

from __future__ import annotations

from pathlib import Path

import pytest

from .harness import edgegap

pytest.importorskip("torch")

SOURCE = """
import torch
import torch.nn.functional as F
from torch import nn

class Spelled(nn.Module):
    def forward(self, x):
        return x * torch.tanh(F.softplus(x))

class InFull(nn.Module):
    def forward(self, x):
        return x * torch.tanh(torch.log(1 + torch.exp(x)))

class Normalized(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

def net():
    torch.manual_seed(0)
    functions = [nn.Mish(), Spelled(), InFull(), nn.Softplus()]
    blocks = [m for f in functions for m in (nn.Conv2d(8, 8, 3, padding=1), Normalized(), f)]
    return nn.Sequential(nn.Conv2d(1, 8, 1), *blocks, nn.Conv2d(8, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


def test_they_are_exact_and_named_by_their_modules(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(SOURCE)
    call = ("--int8", "--calib", "digits:train", "--preprocess", "unit", "--samples", 64)
    done = edgegap("export", f"{tmp_path / 'nets.py'}:net", *call, "-o", tmp_path / "out", "--json", "-")
    assert done.status == 0, done.err
    assert done.record["exactness"] == "exact"
    assert done.record["identity"][0]["different"] == 0
    slow = {op["module"]: op["op"] for op in done.record["float_ops"]}
    norms = {f"{k}.norm": "LayerNormalization" for k in (2, 5, 8, 11)}
    assert slow == {"3": "Mish", "6": "Mish", "9": "Mish", "12": "Softplus"} | norms

    done = edgegap("check", tmp_path / "out", "--data", "digits:test", "--samples", 64, "--json", "-")
    assert done.status == 0, done.err
    assert done.record["identity"][0]["different"] == 0
