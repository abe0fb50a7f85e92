"""Network In Network: Lin, Chen & Yan, 2013 (arXiv:1312.4400)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from edgegap.models.blocks import conv_bn

if TYPE_CHECKING:
    from torch import nn


def nin(channels: int) -> list[nn.Module]:
    """The network of the paper's figure 2 for 32x32 pixels, with the widths that its authors published for CIFAR-10.

    Three mlpconv layers; max pooling and dropout follow the first two. The last 1x1 convolution, which makes the class
    maps, is the head's. BatchNorm is not in the paper: it came later, lets training start from any seed, and is folded
    into the convolutions at export.
    """
    from torch import nn  # noqa: PLC0415  # slow to import

    return [
        *_mlpconv(channels, (192, 160, 96), 5),
        nn.MaxPool2d(3, 2, 1),
        nn.Dropout(0.5),
        *_mlpconv(96, (192, 192, 192), 5),
        nn.MaxPool2d(3, 2, 1),
        nn.Dropout(0.5),
        *_mlpconv(192, (192, 192), 3),
    ]


def nin_tiny(channels: int) -> list[nn.Module]:
    """Two mlpconv layers of 32 and 64 channels, for images from 8x8 pixels."""
    from torch import nn  # noqa: PLC0415  # slow to import

    return [*_mlpconv(channels, (32, 32), 3), nn.MaxPool2d(2), *_mlpconv(32, (64, 64), 3)]


def _mlpconv(inputs: int, widths: tuple[int, ...], kernel: int) -> list[nn.Module]:
    """A convolution and 1x1 convolutions: a small perceptron slid over the image (the paper's equation 2)."""
    from torch import nn  # noqa: PLC0415  # slow to import

    layers = conv_bn(inputs, widths[0], kernel, activation=nn.ReLU)
    for before, after in pairwise(widths):
        layers += conv_bn(before, after, 1, activation=nn.ReLU)
    return layers
