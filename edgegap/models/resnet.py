"""Residual networks for small images: He, Zhang, Ren & Sun, 'Deep Residual Learning', 2016 (arXiv:1512.03385)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgegap.models.blocks import conv_bn, residual

if TYPE_CHECKING:
    from torch import nn


def resnet8(channels: int) -> list[nn.Module]:
    """One block in each stage: the size of MLPerf Tiny's network for CIFAR-10 (Banbury et al., 2021)."""
    return _resnet(channels, blocks=1)


def resnet20(channels: int) -> list[nn.Module]:
    """Three blocks in each stage: the paper's section 4.2 with n = 3, and projections (its option B) for shortcuts."""
    return _resnet(channels, blocks=3)


def _resnet(channels: int, blocks: int) -> list[nn.Module]:
    """A stem and three stages of 16, 32 and 64 channels; the second and third halve the size."""
    from torch import nn  # noqa: PLC0415  # slow to import

    layers, before = conv_bn(channels, 16, activation=nn.ReLU), 16
    for after in (16, 32, 64):
        for _ in range(blocks):
            changes = after != before
            stride = 2 if changes else 1
            body = [*conv_bn(before, after, stride=stride, activation=nn.ReLU), *conv_bn(after, after)]
            layers += [residual(body, conv_bn(before, after, 1, stride=stride) if changes else []), nn.ReLU()]
            before = after
    return layers
