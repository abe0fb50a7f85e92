"""The parameters of one QuantizeLinear or DequantizeLinear node, and what both runtimes can take of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import UnsupportedOpError
from edgegap.graph.nodes import attribute, constant, describe, operand, required_constant, unsupported
from edgegap.quantize.parameters import Grid
from edgegap.quantize.signed import unsigned

_EIGHT_BITS = "Quantize activations and weights to 8 bits (QUInt8 or QInt8)."


@dataclass(frozen=True)
class Affine:
    """What a node states: real = scale * (integer - zero_point), ONNX operator specification, DequantizeLinear.

    Args:
        scale: float32, [] or [1] per tensor, [C] per channel.
        zero_point: likewise, of the integers' type.
        axis: of the channels.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[Any]
    axis: int


def affine_of(node: ir.Node) -> Affine:
    """The parameters of a QuantizeLinear or DequantizeLinear node.

    Raises:
        UnsupportedOpError: other types than int8, uint8 and (of biases) int32, a scale that is not a positive float32,
            parameters that are computed at run time, or one scale per block.
    """
    scale = required_constant(node, 1, "scale")
    zero = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        zero = required_constant(node, 2, "zero point")
    if zero is None:
        integers = constant(operand(node)) if node.op_type == "DequantizeLinear" else None
        zero = np.zeros(scale.shape, np.uint8 if integers is None else integers.dtype)
    dtype = ir.tensor(zero).dtype.name.lower()
    if dtype not in ("int8", "uint8", "int32") or (dtype == "int32" and node.op_type == "QuantizeLinear"):
        raise unsupported(node, f"its integers are {dtype}", _EIGHT_BITS)
    if scale.dtype != np.float32:
        raise unsupported(node, f"its scale is {scale.dtype}", "Quantize the float32 network.")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise UnsupportedOpError(
            "its scale is not above 0", where=describe(node), hint="Was it calibrated on real images?"
        )
    if attribute(node, "block_size", 0):
        raise unsupported(node, "one scale per block", "Use one scale per channel, or one per tensor.")
    return Affine(scale, zero, attribute(node, "axis", 1))


def grid_of_activation(node: ir.Node) -> Grid:
    """The uint8 grid of a QuantizeLinear or DequantizeLinear node of an activation, for int8 too."""
    stated = affine_of(node)
    if stated.scale.size != 1:
        raise unsupported(node, "one scale per channel of an activation", "Quantize activations per tensor.")
    if stated.zero_point.dtype == np.int32:
        raise unsupported(node, "its integers are int32", _EIGHT_BITS)
    return Grid(float(stated.scale.reshape(-1)[0]), int(unsigned(stated.zero_point.reshape(-1))[0]))


def quantized(array: NDArray[Any], stated: Affine) -> NDArray[Any]:
    """The integers of a float constant: round half to even, then saturate, as QuantizeLinear does."""
    scale, zero = _along(stated, array.ndim)
    limits = np.iinfo(stated.zero_point.dtype)
    integers = np.rint(array.astype(np.float32) / scale) + zero
    result: NDArray[Any] = np.clip(integers, limits.min, limits.max).astype(stated.zero_point.dtype)
    return result


def dequantized(array: NDArray[Any], stated: Affine) -> NDArray[np.float32]:
    """The float values of an integer constant."""
    scale, zero = _along(stated, array.ndim)
    result: NDArray[np.float32] = ((array.astype(np.float64) - zero) * scale.astype(np.float64)).astype(np.float32)
    return result


def _along(stated: Affine, rank: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Scale and zero point, shaped so that they broadcast over a constant of so many axes."""
    shape = [1] * rank
    if stated.scale.size > 1:
        shape[stated.axis % rank] = stated.scale.size
    zero = np.broadcast_to(stated.zero_point.reshape(-1), (stated.scale.size,)).astype(np.float64)
    return stated.scale.reshape(shape), zero.reshape(shape)
