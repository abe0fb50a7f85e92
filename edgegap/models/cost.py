"""What a torch network costs: its parameters, their bytes, and its multiply-accumulates."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Cost:
    """Of one network.

    Args:
        parameters: how many numbers were learned.
        macs: multiply-accumulates of one inference, in convolutions and fully connected layers, on real and on padding
            pixels alike.
    """

    parameters: int
    macs: int

    @property
    def bytes(self) -> int:
        """Of the parameters in float32; int8 takes a quarter."""
        return self.parameters * FLOAT_BYTES


def cost_of(network: torch.nn.Module, input_shape: tuple[int, int, int]) -> Cost:
    """The cost of a network for one image; one on torch's device `meta` is not computed.

    Args:
        network: left in evaluation mode.
        input_shape: C, H, W.
    """
    import torch  # noqa: PLC0415  # slow to import

    macs = 0

    def count(layer: Any, inputs: Any, output: torch.Tensor) -> None:
        nonlocal macs
        weight = layer.weight
        macs += prod(output.shape) * prod(weight.shape[1:])

    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, *input_shape, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(sum(parameter.numel() for parameter in network.parameters()), macs)
