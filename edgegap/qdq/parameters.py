"""The parameters of one QuantizeLinear or DequantizeLinear node, and what both runtimes can take of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import UnsupportedOpError
from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    describe,
    graph_of,
    operand,
    required_constant,
    unsupported,
)
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


def state_zero_point(node: ir.Node) -> None:
    """Give a QuantizeLinear or DequantizeLinear node the zero point that it leaves out: 0, of the integers' type.

    A QuantizeLinear makes uint8 then, or since opset 21 what its `output_dtype` says. Integers have the type of the
    constant, or of the QuantizeLinear that they come from.
    """
    if len(node.inputs) < 3 or node.inputs[2] is None:
        zero = np.zeros(required_constant(node, 1, "scale").shape, _integers_of(node))
        node.resize_inputs(3)
        node.replace_input_with(2, add_initializer(graph_of(node), f"{node.outputs[0].name}_zero_point", zero))
    node.attributes.pop("output_dtype", None)


def _integers_of(node: ir.Node | None) -> np.dtype[Any]:
    while node is not None and node.op_type != "QuantizeLinear":
        integers = constant(operand(node))
        if integers is not None:
            return integers.dtype
        node = operand(node).producer()
    zero = None if node is None or len(node.inputs) < 3 else constant(node.inputs[2])
    if zero is not None:
        return zero.dtype
    stated = 0 if node is None else attribute(node, "output_dtype", 0)
    return ir.DataType(stated or ir.DataType.UINT8).numpy()


def affine_of(node: ir.Node) -> Affine:
    """The parameters of a QuantizeLinear or DequantizeLinear node with a zero point.

    Raises:
        UnsupportedOpError: other types than int8, uint8 and (of biases) int32, a scale that is not a positive float32,
            parameters that are computed at run time, or one scale per block.
    """
    scale = required_constant(node, 1, "scale")
    zero = required_constant(node, 2, "zero point")
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
