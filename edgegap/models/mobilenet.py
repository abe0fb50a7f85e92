"""MobileNets at small widths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgegap.models.blocks import conv_bn, depthwise_separable, residual

if TYPE_CHECKING:
    from torch import nn

_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Channels at width 1 and stride of each depthwise separable convolution: the paper's table 1."""

_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Expansion, channels at width 1, blocks, and stride of the first block: the paper's table 2."""


def mobilenet_v1(channels: int) -> list[nn.Module]:
    """Width 0.25, the size of MLPerf Tiny's network for visual wake words (Howard et al., 2017, arXiv:1704.04861)."""
    from torch import nn  # noqa: PLC0415  # slow to import

    width = 0.25
    layers, before = conv_bn(channels, _scaled(32, width), stride=2, activation=nn.ReLU), _scaled(32, width)
    for full, stride in _V1:
        after = _scaled(full, width)
        layers += depthwise_separable(before, after, stride, nn.ReLU)
        before = after
    return layers


def mobilenet_v2(channels: int) -> list[nn.Module]:
    """Width 0.35 (Sandler et al., 2018, arXiv:1801.04381); the last convolution is narrowed too, from 1280 to 448."""
    from torch import nn  # noqa: PLC0415  # slow to import

    width = 0.35
    layers, before = conv_bn(channels, _scaled(32, width), stride=2, activation=nn.ReLU6), _scaled(32, width)
    for expansion, full, blocks, first_stride in _V2:
        after = _scaled(full, width)
        for block in range(blocks):
            layers.append(_inverted_residual(before, after, first_stride if block == 0 else 1, expansion))
            before = after
    return [*layers, *conv_bn(before, _scaled(1280, width), 1, activation=nn.ReLU6)]


def _inverted_residual(inputs: int, outputs: int, stride: int, expansion: int) -> nn.Module:
    """Expand, filter depthwise, project without an activation (the paper's table 1); add the input where it fits."""
    from torch import nn  # noqa: PLC0415  # slow to import

    hidden = inputs * expansion
    body = [
        *(conv_bn(inputs, hidden, 1, activation=nn.ReLU6) if expansion != 1 else []),
        *conv_bn(hidden, hidden, stride=stride, groups=hidden, activation=nn.ReLU6),
        *conv_bn(hidden, outputs, 1),
    ]
    return residual(body, []) if stride == 1 and inputs == outputs else nn.Sequential(*body)


def _scaled(channels: int, width: float) -> int:
    """A multiple of 8 near `channels * width`, at least 8, and no more than a tenth below (the authors' own rule)."""
    scaled = channels * width
    near = max(8, int(scaled + 4) // 8 * 8)
    return near if near >= 0.9 * scaled else near + 8
