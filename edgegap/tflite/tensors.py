"""What a value of an ONNX graph is in TFLite: a float or int8 tensor, its parameters, or a constant.

Every uint8 value becomes int8 with its zero point less 128: the same grid. In normal form an arithmetic node stands
between DequantizeLinear and QuantizeLinear and is one integer operator in TFLite ("integer node" here); Concat, MaxPool
and their like stand on the integers themselves, and their output has the parameters of their input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import ModelError
from edgegap.graph.nodes import attribute, constant, operand, required_constant, sole_consumer, unsupported
from edgegap.tflite.flatbuffer import Quantization

_ARITHMETIC = frozenset(
    {"Add", "Conv", "Div", "Gemm", "GlobalAveragePool", "GlobalLpPool", "LayerNormalization", "Mul"}
    | {"Elu", "Gelu", "Mish", "Sigmoid", "Softplus", "Tanh"}
)


@dataclass(frozen=True, eq=False)
class Constant:
    """An initializer, as float32; or one behind a DequantizeLinear, as integers on the signed grid and their scale."""

    name: str
    data: NDArray[Any]
    quantization: Quantization | None = None


def constant_of(value: ir.Value) -> Constant | None:
    """The constant that `value` is, or None where it is an activation."""
    data = constant(value)
    if data is not None:
        return Constant(str(value.name), signed(data))
    producer = value.producer()
    if producer is None or producer.op_type != "DequantizeLinear":
        return None
    integers = operand(producer)
    data = constant(integers)
    return None if data is None else Constant(str(integers.name), signed(data), parameters(producer))


def required_constant_of(node: ir.Node, index: int, what: str) -> Constant:
    """The constant behind input `index`; raises UnsupportedOpError where it is computed at run time."""
    found = constant_of(operand(node, index))
    if found is None:
        raise unsupported(node, f"its {what} is computed at run time", "Export the network with constant parameters.")
    return found


def signed(array: NDArray[Any]) -> NDArray[Any]:
    """uint8 as int8, 128 lower; every other type as it is."""
    return (array ^ 0x80).view(np.int8) if array.dtype == np.uint8 else array


def parameters(node: ir.Node) -> Quantization:
    """The parameters that a QuantizeLinear or DequantizeLinear carries, on the signed grid."""
    scale = np.atleast_1d(required_constant(node, 1, "scale")).astype(np.float32)
    zero_point = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    if zero_point is None:
        integers = node.outputs[0] if node.op_type == "QuantizeLinear" else operand(node)
        is_unsigned = integers.dtype is None or integers.dtype == ir.DataType.UINT8
        zero_point = np.zeros(scale.shape, np.uint8 if is_unsigned else np.int8)
    grid = np.atleast_1d(signed(zero_point)).astype(np.int64)
    return Quantization(scale, grid, attribute(node, "axis", 1) if scale.size > 1 else 0)


def is_integer_node(node: ir.Node) -> bool:
    """Whether `node` is arithmetic between DequantizeLinear nodes and one QuantizeLinear.

    Raises UnsupportedOpError for arithmetic on quantized constants whose result is not quantized.
    """
    if node.op_type not in _ARITHMETIC:
        return False
    producers = [value.producer() for value in node.inputs if value is not None]
    consumer = sole_consumer(node.outputs[0])
    is_quantized = consumer is not None and consumer.op_type == "QuantizeLinear"
    if is_quantized and all(p is not None and p.op_type == "DequantizeLinear" for p in producers):
        return True
    if any(constant(value) is None and constant_of(value) is not None for value in node.inputs if value is not None):
        raise unsupported(
            node,
            "its constants are quantized, but not all of its inputs and its output",
            "Quantize the whole node, or none of it.",
        )
    return False


def integer_values(graph: ir.Graph) -> dict[ir.Value, Quantization]:
    """The parameters of every activation that holds integers.

    Raises ModelError for a graph input of integers whose scale no DequantizeLinear tells.
    """
    found = {
        value: _parameters_downstream(value)
        for value in graph.inputs
        if value.dtype in (ir.DataType.UINT8, ir.DataType.INT8)
    }
    for node in graph:
        if node.op_type == "QuantizeLinear":
            found[node.outputs[0]] = parameters(node)
        elif node.op_type != "DequantizeLinear":
            integers = [value for value in node.inputs if value in found]
            if integers:
                found[node.outputs[0]] = found[integers[0]]
    return found


def _parameters_downstream(value: ir.Value) -> Quantization:
    pending = [value]
    while pending:
        for use in pending.pop().uses():
            if use.node.op_type == "DequantizeLinear":
                stated = parameters(use.node)
                # one per channel, all equal, in front of a layer that stays in float
                return Quantization(stated.scale[:1], stated.zero_point[:1])
            pending.extend(use.node.outputs)
    raise ModelError(
        f"the input '{value.name}' holds integers, but no DequantizeLinear tells their scale",
        hint="Quantize the network with edgegap export --int8.",
    )
