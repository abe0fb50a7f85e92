"""A network of depthwise separable convolutions for keywords: Zhang et al., 'Hello Edge', 2017 (arXiv:1711.07128)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgegap.models.blocks import conv_bn, depthwise_separable

if TYPE_CHECKING:
    from torch import nn


def ds_cnn(channels: int) -> list[nn.Module]:
    """The small one of the paper: a 10x4 convolution and four depthwise separable ones, 64 channels each.

    Its input is a spectrogram, such as 49 frames of 10 coefficients; images do as well.
    """
    from torch import nn  # noqa: PLC0415  # slow to import

    layers = conv_bn(channels, 64, (10, 4), stride=2, activation=nn.ReLU)
    for _ in range(4):
        layers += depthwise_separable(64, 64, 1, nn.ReLU)
    return layers
