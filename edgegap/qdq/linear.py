"""The integers of weights and biases, from the scales that the file states."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import required_constant, unsupported
from edgegap.qdq.read import Bias
from edgegap.quantize.parameters import WMAX, Grid
from edgegap.quantize.weights import LinearParameters

_NOISE = 1e-6
"""Relative: what float32 keeps of a product of two scales, or of a scale times an integer."""
_FACTORS = (2.0**-32, 256)
"""What XNNPACK takes between the steps of an accumulator and of an output: from the first, and below the second."""
_LARGEST_BIAS = 2.0**31 - 1


def stated_linear(
    node: ir.Node,
    grid: Grid,
    output: Grid,
    scale: NDArray[np.float32] | None,
    bias: Bias | None,
    *,
    clipping: bool = False,
) -> tuple[LinearParameters, int]:
    """The integer parameters of a Conv or Gemm of a lowered model.

    A weight without a stated scale is one that EdgeGAP made (an AveragePool, a requantize, an affine map per channel):
    every channel of it is one value many times, which is 127 at its own scale.

    Args:
        node: with float constants.
        grid: of its input.
        output: grid of its output.
        scale: float32 [O] or [1], of the weight.
        bias: the integer bias of the file, or None.
        clipping: whether a weight of -128 becomes -127.

    Returns:
        The parameters, and how many weights were -128.

    Raises:
        UnsupportedOpError: a weight that is float, or that lies off its own grid; a scale or bias out of range.
    """
    weight, real = required_constant(node, 1, "weight"), required_constant(node, 2, "bias")
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    if scale is None:
        scales, integers = _of_one_value(node, rows)
    else:
        scales = np.broadcast_to(scale, (len(weight),)).astype(np.float32)
        integers = _integers(node, rows, scales)
    lowest = integers < -WMAX
    if lowest.any() and not clipping:
        # TFLite's quantization specification: -127..127, because kernels for ARM add two products in 16 bits.
        channel = int(lowest.any(axis=1).argmax())
        what = f"a weight of channel {channel} is -128, which TFLite does not allow"
        raise unsupported(node, what, "Quantize weights to -127..127, or let --resnap make it -127.")
    integers = np.maximum(integers, -WMAX)
    accumulator = np.float32(grid.scale) * scales
    biases = _bias(node, real, accumulator, bias)
    factors = accumulator / output.scale
    # A sum of 32 bits times such a factor stays below half a step: the channel gives the zero point whatever it holds.
    silent = (factors < _FACTORS[0]) | ~(integers.any(axis=1) | (biases != 0))
    scales[silent] = np.float32(output.scale / grid.scale)
    integers[silent], biases[silent] = 0, 0
    factors = np.where(silent, 1, factors)
    if (factors >= _FACTORS[1]).any():
        channel = int(factors.argmax())
        what = f"one step of channel {channel} is {factors[channel]:.3g} steps of its output: XNNPACK does not take it"
        raise unsupported(node, what, "Quantize it again with EdgeGAP: --int8.")
    accumulator = np.float32(grid.scale) * scales
    parameters = LinearParameters(integers.reshape(weight.shape), scales, biases, accumulator, 0)
    return parameters, int(lowest.sum())


def _of_one_value(node: ir.Node, rows: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    if not (rows == rows[:, :1]).all():
        raise unsupported(node, "its weight is float, not int8", "Quantize its weight, too.")
    largest = np.abs(rows[:, 0]) / WMAX
    top = largest.max() or 1 / WMAX  # for channels that are 0, or nothing next to the others
    scales = np.where(largest > top * _FACTORS[0], largest, top).astype(np.float32)
    return scales, np.rint(rows / scales[:, None]).astype(np.int8)


def _integers(node: ir.Node, rows: NDArray[np.float64], scales: NDArray[np.float32]) -> NDArray[np.int8]:
    steps = rows / scales[:, None]
    integers = np.rint(steps)
    off = np.abs(steps - integers) > _NOISE * np.maximum(np.abs(steps), 1)
    if off.any() or integers.max() > WMAX or integers.min() < -WMAX - 1:
        hint = "Fold BatchNorm, Mul and Add into the layer before it is quantized."
        raise unsupported(node, "something without QuantizeLinear behind it scales its output", hint)
    return integers.astype(np.int8)


def _bias(
    node: ir.Node, real: NDArray[np.float32], scale: NDArray[np.float32], stated: Bias | None
) -> NDArray[np.int32]:
    """Those of the file where they are at the accumulator's scale, else the nearest ones at that scale."""
    if stated is not None and _is_kept(stated, real, scale):
        return stated.integers.astype(np.int32)
    integers = np.rint(real.astype(np.float64) / scale.astype(np.float64))
    if (np.abs(integers) > _LARGEST_BIAS).any():
        channel = int((np.abs(integers) > _LARGEST_BIAS).argmax())
        hint = "Quantize it again with EdgeGAP: --int8."
        raise unsupported(node, f"the bias of channel {channel} does not fit 32 bits at its weight's scale", hint)
    return integers.astype(np.int32)


def _is_kept(stated: Bias, real: NDArray[np.float32], scale: NDArray[np.float32]) -> bool:
    """Whether a file's bias is still the layer's, and lies at the accumulator's scale."""
    return np.array_equal(stated.real, real) and np.allclose(stated.scale, scale, rtol=_NOISE, atol=0)
