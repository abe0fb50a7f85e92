"""What the networks are built of: a convolution with BatchNorm, a depthwise separable one, a residual connection."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def conv_bn(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    groups: int = 1,
    activation: type[nn.Module] | None = None,
) -> list[nn.Module]:
    """Convolution without bias, BatchNorm (Ioffe & Szegedy, 2015) and an activation.

    Padding is half the kernel on every side, so that stride 1 keeps the size of an odd kernel.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: its height and width.
        stride: in both directions.
        groups: of the convolution; `inputs` for a depthwise one.
        activation: its class; None for none.
    """
    from torch import nn  # noqa: PLC0415  # slow to import

    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    conv = nn.Conv2d(inputs, outputs, (height, width), stride, (height // 2, width // 2), groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), *([] if activation is None else [activation()])]


def depthwise_separable(inputs: int, outputs: int, stride: int, activation: type[nn.Module]) -> list[nn.Module]:
    """A 3x3 convolution of each channel by itself, then a 1x1 convolution over the channels (Howard et al., 2017).

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: of the depthwise convolution.
        activation: the class of both activations.
    """
    return [
        *conv_bn(inputs, inputs, stride=stride, groups=inputs, activation=activation),
        *conv_bn(inputs, outputs, 1, activation=activation),
    ]


def residual(body: list[nn.Module], shortcut: list[nn.Module]) -> nn.Module:
    """The sum of two branches of one input (He et al., 2016).

    Args:
        body: the layers of the one.
        shortcut: the layers of the other; none for the input itself.
    """
    from torch import nn  # noqa: PLC0415  # slow to import

    module: nn.Module = _residual()(nn.Sequential(*body), nn.Sequential(*shortcut))
    return module


@cache
def _residual() -> type[nn.Module]:
    """The class, made on first use: it needs torch."""
    import torch  # noqa: PLC0415  # slow to import

    class Residual(torch.nn.Module):
        def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
            super().__init__()
            self.body = body
            self.shortcut = shortcut

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.body(x) + self.shortcut(x)
            return y

    return Residual
