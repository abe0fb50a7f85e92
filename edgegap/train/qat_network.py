"""A quantization as a network that can be trained, and what was learned as a quantization again.

What is trained are the integers before they are rounded: a weight is counted in steps of its own scale, so that one
learning rate suits layers of any size of weights, and a bias in what a weight's step makes of the input's largest
value. They start where the recipe rounded them. The gradient passes roundings by the straight-through estimator
(`edgegap.quantize.simulation`). Scales and zero points stay as export snapped them: exactness stands on them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from edgegap.quantize.parameters import QMAX, WMAX
from edgegap.quantize.quantization import Quantization
from edgegap.quantize.simulation import Layer, Simulation
from edgegap.quantize.weights import LinearParameters

if TYPE_CHECKING:
    import torch

_BIAS_LIMIT = 2**30
"""That of `quantize_linear`: an accumulator has room for more than its bias."""


class Trainee:
    """A quantization in training.

    Args:
        parts: where it starts.
        layers: the Conv and Gemm nodes to train, by the name of their output.

    Attributes:
        network: scores [n, classes] of float32 images [n, C, H, W]; stays on the CPU.
    """

    def __init__(self, parts: Quantization, layers: Collection[str]) -> None:
        self._parts = parts
        simulation = parts.simulation()
        self._names = [name for name in simulation.layers if name in layers]
        trained = [_TrainedLayer(simulation.layers[name], parts.linear[name]) for name in self._names]
        self._trained = trained
        self.network: torch.nn.Module = _network()(simulation, trained)

    def quantization(self) -> Quantization:
        """What was learned so far."""
        learned = {name: layer.integers() for name, layer in zip(self._names, self._trained, strict=True)}
        return replace(self._parts, linear={**self._parts.linear, **learned})


class _TrainedLayer:
    """The parameters of one layer, in steps, and what they stand for.

    Args:
        layer: of the simulation, which computes with what it holds.
        start: its integers.

    Attributes:
        weight: float32 [O, ...], in steps of the weights' scale.
        bias: float32 [O], in QMAX steps of the biases' scale.
    """

    def __init__(self, layer: Layer, start: LinearParameters) -> None:
        import torch  # noqa: PLC0415  # slow to import

        self._layer = layer
        self._start = start
        self._weight_step = layer.scale.reshape(-1, *[1] * (start.weight.ndim - 1))
        self._bias_step = torch.from_numpy(QMAX * start.bias_scale)
        self.weight = torch.nn.Parameter(torch.from_numpy(start.weight.astype(np.float32)))
        self.bias = torch.nn.Parameter(torch.from_numpy((start.bias / QMAX).astype(np.float32)))

    def put(self) -> None:
        """Let the simulation compute with the parameters as they are now."""
        self._layer.weight = self.weight * self._weight_step
        self._layer.bias = self.bias * self._bias_step

    def integers(self) -> LinearParameters:
        """The parameters, rounded."""
        steps = np.rint(self.bias.detach().numpy().astype(np.float64) * QMAX)
        return replace(
            self._start,
            weight=self.weight.detach().round().clamp(-WMAX, WMAX).numpy().astype(np.int8),
            bias=np.clip(steps, -_BIAS_LIMIT, _BIAS_LIMIT).astype(np.int32),
        )


@cache
def _network() -> type[torch.nn.Module]:
    """The class, made on first use: it needs torch."""
    import torch  # noqa: PLC0415  # slow to import

    class Network(torch.nn.Module):
        def __init__(self, simulation: Simulation, trained: list[_TrainedLayer]) -> None:
            super().__init__()
            self._simulation = simulation
            self._trained = trained
            self.weights = torch.nn.ParameterList(layer.weight for layer in trained)
            self.biases = torch.nn.ParameterList(layer.bias for layer in trained)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self._trained:
                layer.put()
            return self._simulation(x).flatten(1)

    return Network
