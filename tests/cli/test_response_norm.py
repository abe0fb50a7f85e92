"""A block of ConvNeXt V2 through the command line: global response normalization, on maps and with channels last."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_layer_norm import exact

pytest.importorskip("torch")

SOURCE = """
import torch
from torch import nn

class ResponseNorm(nn.Module):
    def __init__(self, channels, spatial, channel):
        super().__init__()
        self.spatial, self.channel = spatial, channel
        shape = [channels if axis == channel % 4 else 1 for axis in range(4)]
        self.weight, self.bias = nn.Parameter(torch.randn(shape)), nn.Parameter(torch.randn(shape))

    def forward(self, x):
        length = x.norm(p=2, dim=self.spatial, keepdim=True)
        share = length / (length.mean(dim=self.channel, keepdim=True) + 1e-6)
        return x + torch.addcmul(self.bias, self.weight, x * share)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.head = nn.Conv2d(1, 16, 2, stride=2), nn.Linear(16, 10)
        self.maps, self.last = ResponseNorm(16, (2, 3), 1), ResponseNorm(16, (1, 2), -1)
        self.linear, self.act = nn.Linear(16, 16), nn.GELU()

    def forward(self, x):
        y = self.maps(self.act(self.stem(x))).permute(0, 2, 3, 1)
        return self.head(self.last(self.act(self.linear(y))).mean((1, 2)))

def net():
    torch.manual_seed(0)
    return Net().eval()
"""


def test_it_is_exact_and_every_layer_is_measured(tmp_path: Path) -> None:
    record, rows = exact(tmp_path, SOURCE)
    norms = {op["module"] for op in record["float_ops"] if op["op"] in ("Div", "GlobalLpPool")}
    assert norms == {"maps", "last"}
    measured = {(row["op"], row["module"]) for row in rows}
    assert measured >= {(op, module) for op in ("Div", "GlobalLpPool") for module in norms}
