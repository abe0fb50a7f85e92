"""The int8 spelling of a QDQ model: activations are int8 and not uint8, on the same grid, 128 lower.

Some CPUs are faster with it (`activation` of a target profile). Scales, weights and biases stay as they are, and so do
the integers, read on the signed grid.
"""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import constant

Activation = Literal["uint8", "int8"]


def signed(integers: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Integers of the uint8 grid on the int8 grid."""
    return np.asarray(integers ^ np.uint8(0x80)).view(np.int8)


def unsigned(integers: NDArray[Any]) -> NDArray[np.uint8]:
    """Integers of either grid, uint8 or int8, on the uint8 grid."""
    return integers if integers.dtype == np.uint8 else np.asarray(integers.view(np.uint8) ^ np.uint8(0x80))


def with_int8_activations(model: ir.Model) -> ir.Model:
    """A copy of a model in normal form whose activations, zero points and constant operands are int8.

    In normal form nothing but these is uint8: weights are int8 and biases int32.
    """
    copy = model.clone()
    graph = copy.graph
    for value in graph.initializers.values():
        array = constant(value)
        if array is not None and array.dtype == np.uint8:
            value.const_value = ir.tensor(signed(array), name=value.name)
            value.type = ir.TensorType(ir.DataType.INT8)
    for value in (*graph.inputs, *(output for node in graph for output in node.outputs)):
        if value.dtype == ir.DataType.UINT8:
            value.type = ir.TensorType(ir.DataType.INT8)  # a new one: a clone shares its types with the original
    return copy


def activation_of(artifact: Path) -> Activation:
    """The type of activations in an ONNX file: int8 where a QuantizeLinear of one gives int8, else uint8.

    Some exporters (torchao) quantize weights in the graph too, always to int8.

    A file that cannot be read counts as uint8: the runtime that it is meant for says what is wrong with it.
    """
    try:
        with open(artifact, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            if data.find(b"QuantizeLinear") < 0:  # a float file, whose weights may be too large to load for this
                return "uint8"
        nodes = list(ir.load(artifact).graph)
    except Exception:  # protobuf's and onnx_ir's readers raise whatever a damaged file makes them
        return "uint8"
    for node in nodes:
        if node.op_type == "QuantizeLinear" and len(node.inputs) > 2 and not _is_constant(node.inputs[0]):
            zero_point = constant(node.inputs[2])
            if zero_point is not None and zero_point.dtype == np.int8:
                return "int8"
    return "uint8"


def _is_constant(value: ir.Value | None) -> bool:
    producer = None if value is None else value.producer()
    return constant(value) is not None or (producer is not None and producer.op_type == "Constant")
