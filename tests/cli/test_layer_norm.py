"""A block of ConvNeXt through the command line: LayerNorm and Linear on [N, H, W, C], GELU, and a LayerNorm head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .harness import edgegap

pytest.importorskip("torch")

SOURCE = """
import torch
from torch import nn

class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.up, self.down = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)
        self.act = nn.GELU()

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + self.down(self.act(self.up(y))).permute(0, 3, 1, 2)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.blocks = nn.Conv2d(1, 16, 2, stride=2), nn.Sequential(Block(16), Block(16))
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.stem(x)).mean((2, 3))))

def net():
    torch.manual_seed(0)
    return Net().eval()
"""


def exact(tmp_path: Path, source: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record of an export of `net` of that source, and the layers of a check, both of no integer that differs."""
    (tmp_path / "blocks.py").write_text(source)
    network = f"{tmp_path / 'blocks.py'}:net"
    call = ("--int8", "--calib", "digits:train", "--preprocess", "unit", "--input-shape", "1,8,8", "--samples", 64)
    export = edgegap("export", network, *call, "-o", tmp_path / "out", "--json", "-")
    assert export.status == 0, export.err
    assert export.record["exactness"] == "exact"
    check = edgegap("check", tmp_path / "out", "--data", "digits:test", "--samples", 64, "--json", "-")
    assert check.status == 0, check.err
    assert [done.record["identity"][0]["different"] for done in (export, check)] == [0, 0]
    return export.record, check.record["layers"]["rows"]


def test_it_is_exact_and_every_layer_is_measured(tmp_path: Path) -> None:
    record, rows = exact(tmp_path, SOURCE)
    modules = {op["module"] for op in record["float_ops"] if op["op"] == "LayerNormalization"}
    assert modules == {"blocks.0.norm", "blocks.1.norm", "norm"}
    assert {op["op"] for op in record["float_ops"]} == {"LayerNormalization", "Gelu", "GELU"}
    layers = {row["module"]: row for row in rows if row["op"] == "LayerNormalization"}
    assert layers.keys() == modules
    assert min(row["local_sqnr_db"] for row in layers.values()) > 25
