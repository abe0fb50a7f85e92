"""A Network in Network for 8x8 grey digits: one map per class from the last convolution, averaged into its score.

Lin, Chen, Yan: Network In Network, 2013 (arXiv:1312.4400).
"""

from __future__ import annotations

from torch import nn


def mlpconv(inputs: int, outputs: int) -> nn.Sequential:
    """A 3x3 convolution and a 1x1 convolution: a small perceptron slid over the image."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def tiny_nin() -> nn.Module:
    """Float32 images [N, 1, 8, 8] in 0..1 to the scores [N, 10] of the ten digits."""
    return nn.Sequential(
        mlpconv(1, 32),
        nn.MaxPool2d(2),
        mlpconv(32, 64),
        nn.Conv2d(64, 10, 1),  # the class maps
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
