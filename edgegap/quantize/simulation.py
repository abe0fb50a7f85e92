"""The quantized network in torch: what the integers compute, in float arithmetic that can be differentiated.

An activation with a grid is rounded to it and saturates as its integers do; so are weights. To the gradient a rounding
is not there, and behind a saturation it is 0: the straight-through estimator (Bengio, Leonard and Courville,
'Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation', 2013, section 4), as in
Jacob et al., 2018, section 3.
Sums are float32 here and exact in the integers, so that a value beside a tie may come out one step apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnx_ir as ir

from edgegap.evaluator import Evaluator, Hook
from edgegap.quantize.parameters import QMAX, WMAX, Grid
from edgegap.quantize.weights import LinearParameters

if TYPE_CHECKING:
    import torch


@dataclass
class Layer:
    """The parameters of a Conv or Gemm that are rounded when it runs.

    Args:
        weight: float32 [O, ...], not rounded.
        bias: float32 [O].
        scale: float32 [O], of the weights.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    scale: torch.Tensor

    def rounded(self) -> torch.Tensor:
        """The weights that its integers stand for."""
        import torch  # noqa: PLC0415  # slow to import

        zeros = torch.zeros(len(self.scale), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(self.weight, self.scale, zeros, 0, -WMAX, WMAX)


class Simulation:
    """A function of a batch of images, like the evaluator that it stands on.

    Args:
        model: a lowered model; only read.
        grids: of the activations to round, by name: all of them, or those whose effect is asked for.
        linear: the integers of the Conv and Gemm nodes to round, likewise, by the name of the output.

    Attributes:
        layers: the parameters of `linear`. Their weights and biases may be trained.
    """

    def __init__(self, model: ir.Model, grids: Mapping[str, Grid], linear: Mapping[str, LinearParameters]) -> None:
        import torch  # noqa: PLC0415  # slow to import

        self.layers = {
            name: Layer(
                torch.from_numpy(parameters.real_weight),
                torch.from_numpy(parameters.real_bias),
                torch.from_numpy(parameters.weight_scale.copy()),
            )
            for name, parameters in linear.items()
        }
        self._evaluate = Evaluator(model)
        self._grids = grids

    def __call__(self, images: torch.Tensor, hook: Hook | None = None) -> torch.Tensor:
        """The output for float32 images [n, C, H, W].

        Args:
            images: the float values that the network is given.
            hook: told every value after it was rounded; what it returns takes its place.
        """

        def rounded(value: ir.Value, tensor: torch.Tensor) -> torch.Tensor | None:
            grid = self._grids.get(str(value.name))
            if grid is not None:
                tensor = on_grid(tensor, grid)
            replaced = None if hook is None else hook(value, tensor)
            return tensor if replaced is None else replaced

        return self._evaluate(images, rounded, self._parameters)

    def _parameters(self, node: ir.Node, inputs: list[torch.Tensor | None]) -> list[torch.Tensor | None]:
        """The inputs of a node, with the rounded weight and the bias in the place of the float ones."""
        layer = self.layers.get(str(node.outputs[0].name))
        return inputs if layer is None else [inputs[0], layer.rounded(), layer.bias]


def on_grid(tensor: torch.Tensor, grid: Grid) -> torch.Tensor:
    """`tensor` rounded to a grid and saturated at its ends."""
    import torch  # noqa: PLC0415  # slow to import

    return torch.fake_quantize_per_tensor_affine(tensor, grid.scale, grid.zero_point, 0, QMAX)
