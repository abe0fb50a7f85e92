"""Functions of one value: 256 integers go in, so all that they can ever give is known.

ONNX Runtime computes a function in float and rounds, XNNPACK looks the rounded result up in a table of 256: they agree
where no result lies near a tie (see `ties`). TFLite prescribes the output's grid of some, so the input's is nudged.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from scipy import special

from edgegap.graph.nodes import attribute
from edgegap.graph.spellings import gelu, mish, softplus, tanh_gelu
from edgegap.quantize.parameters import QMAX, SIGNED, Grid
from edgegap.quantize.ties import distance_to_tie

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_EPSILON = float(np.finfo(np.float32).eps)

_NOISE: dict[Function, int] = {mish: 3, softplus: 3}
"""By how many epsilons of 1 or x a float32 evaluation may be off, where it is by more than one (measured: 2.7)."""


def _elu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


FUNCTIONS: dict[str, Function] = {
    "Elu": _elu,
    "Gelu": gelu,
    "Mish": mish,
    "Sigmoid": special.expit,
    "Softplus": softplus,
    "Tanh": np.tanh,
}
"""What each op of that kind computes."""

PRESCRIBED = {"Sigmoid": Grid(1 / 256, 0), "Tanh": Grid(1 / 128, SIGNED)}
"""The grids that TFLite demands of an output."""


def function_of(node: ir.Node) -> Function:
    """What `node` computes, of an op in `FUNCTIONS`."""
    return tanh_gelu if attribute(node, "approximate") == "tanh" else FUNCTIONS[node.op_type]


def tie_distance(function: Function, source: Grid, result: Grid) -> float:
    """The least distance, in LSB, of what the function gives for any integer of `source` from a tie of `result`.

    Less what a float32 evaluation may be off: `exp(x) - 1` and `x Phi(x)` are sums and products of numbers as large as
    1 or x, whose rounding is many steps of a grid of small values. Mish and Softplus take more steps.
    """
    x = source.dequantize(np.arange(QMAX + 1))
    noise = _NOISE.get(function, 1) * _EPSILON * max(1.0, float(np.abs(x).max()))
    return distance_to_tie(function(x), result) - noise / result.scale
