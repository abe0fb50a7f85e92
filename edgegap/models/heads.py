"""Heads: what turns the maps [N, C, H, W] of a backbone into the scores [N, classes].

Functions and not classes, so that importing this module does not import torch; each gives an `nn.Sequential`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import nn

HeadName = Literal["gap", "gap-linear", "fc", "fc-dropout"]


def GAPHead(channels: int, classes: int) -> nn.Sequential:  # noqa: N802  # reads as the module that it makes
    """One map per class by a 1x1 convolution, averaged into the score of its class.

    Lin, Chen & Yan, 'Network In Network', 2013 (arXiv:1312.4400), section 3.2. No ReLU on the maps: a score may be
    negative. The maps are class confidence maps.

    Args:
        channels: C of the backbone's maps.
        classes: how many scores.
    """
    from torch import nn  # noqa: PLC0415  # slow to import

    return nn.Sequential(nn.Conv2d(channels, classes, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def GAPLinearHead(channels: int, classes: int) -> nn.Sequential:  # noqa: N802  # reads as the module that it makes
    """The average of each map, then one linear layer.

    Zhou et al., 'Learning Deep Features for Discriminative Localization', 2016 (arXiv:1512.04150): its weights turn the
    maps into class activation maps.

    Args:
        channels: C of the backbone's maps.
        classes: how many scores.
    """
    from torch import nn  # noqa: PLC0415  # slow to import

    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def FCHead(  # noqa: N802  # reads as the module that it makes
    channels: int, height: int, width: int, classes: int, dropout: float = 0.5
) -> nn.Sequential:
    """Every position of every map into one fully connected layer, with dropout before it: for comparison.

    What Lin, Chen & Yan, 2013, compare global average pooling with in their table 5, with dropout (Hinton et al.,
    'Improving neural networks by preventing co-adaptation of feature detectors', 2012, arXiv:1207.0580) and without.

    Args:
        channels: C of the backbone's maps.
        height: H of the maps.
        width: W of the maps.
        classes: how many scores.
        dropout: the share of values that training leaves out; 0 for none.
    """
    from torch import nn  # noqa: PLC0415  # slow to import

    return nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels * height * width, classes))


HEADS: dict[HeadName, Callable[[int, int, int, int], nn.Sequential]] = {
    "gap": lambda channels, height, width, classes: GAPHead(channels, classes),
    "gap-linear": lambda channels, height, width, classes: GAPLinearHead(channels, classes),
    "fc": partial(FCHead, dropout=0.0),
    "fc-dropout": FCHead,
}
"""The head of each name, from C, H and W of the maps and the number of classes."""
