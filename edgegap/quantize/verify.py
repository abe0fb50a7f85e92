"""The verifier: the rules of the normal form, checked on a finished QDQ model.

Rules (see `normal_form`):
    1. Arithmetic reads DequantizeLinear values only, and one QuantizeLinear reads it.
    2. Weights are int8 and biases int32, per channel on axis 0, with zero point 0; the scale of a bias is s_x * s_w.
    3. Moving ops work on uint8, the inputs of a Concat have one grid, and a Pad fills with an integer.
    4. Nothing else is in the graph, and no value is quantized twice.
    5. A Conv or Gemm with float weights reads one scale per channel, or a value that stays in float; float ops, a
       QuantizeLinear or the output read it.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_ir as ir

from edgegap.errors import InternalError
from edgegap.graph.nodes import constant, describe, operand, sole_consumer
from edgegap.quantize.floats import LINEAR, float_nodes
from edgegap.quantize.lower import ARITHMETIC, PASSING
from edgegap.quantize.parameters import Grid
from edgegap.quantize.signed import unsigned


def verify_normal_form(model: ir.Model) -> None:
    """Check every rule; the first that is broken raises InternalError, naming the node."""
    floats = float_nodes(model)
    for node in model.graph:
        if node in floats:
            _verify_float(node, floats)
        elif node.op_type in ARITHMETIC:
            _verify_arithmetic(node)
        elif node.op_type in PASSING:
            _verify_moving(node)
        elif node.op_type == "QuantizeLinear":
            producer = operand(node).producer()
            _require(
                producer is None or producer.op_type in ARITHMETIC or producer in floats,
                node,
                "it quantizes a value that is not computed",
            )
        elif node.op_type != "DequantizeLinear":
            raise InternalError("this op has no place in the normal form", where=describe(node))


def grid_of(value: ir.Value) -> Grid | None:
    """The grid that an integer or dequantized activation of a QDQ model lies on, or None where no node states it.

    It is the uint8 grid, for int8 activations too.
    """
    node = value.producer()
    if node is not None and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return _stated(node)
    for reader in value.consumers():
        if reader.op_type == "DequantizeLinear":
            return _stated(reader)
    if node is not None and node.op_type in PASSING:
        return grid_of(operand(node))
    return None


def _stated(node: ir.Node) -> Grid | None:
    scale, zero = constant(operand(node, 1)), constant(operand(node, 2))
    if scale is None or zero is None or np.unique(scale).size != 1 or np.unique(zero).size != 1:
        return None
    return Grid(float(scale.reshape(-1)[0]), int(unsigned(zero).reshape(-1)[0]))


def _verify_arithmetic(node: ir.Node) -> None:
    for value in node.inputs:
        producer = value.producer() if value is not None else None
        _require(producer is not None and producer.op_type == "DequantizeLinear", node, "an input is not dequantized")
    reader = sole_consumer(node.outputs[0])
    _require(reader is not None and reader.op_type == "QuantizeLinear", node, "its output is not quantized once")
    if node.op_type not in ("Conv", "Gemm"):
        return
    grid = grid_of(operand(node))
    scales = {}
    for index, dtype in ((1, np.int8), (2, np.int32)):
        dequantize = operand(node, index).producer()
        arrays = [constant(value) for value in dequantize.inputs] if dequantize is not None else []
        integers, scale, zero = (arrays + [None] * 3)[:3]
        if integers is None or scale is None or zero is None or grid is None:
            raise InternalError("its weight or bias is not an integer constant", where=describe(node))
        _require(integers.dtype == dtype and not zero.any(), node, f"input {index} is not {dtype.__name__} around 0")
        _require(scale.shape == (integers.shape[0],), node, f"input {index} is not quantized per channel")
        scales[index] = scale
    _require(
        np.array_equal(scales[2], np.float32(grid.scale if grid else 0) * scales[1]),
        node,
        "the bias is off the accumulator's scale",
    )


def _verify_float(node: ir.Node, floats: Collection[ir.Node]) -> None:
    readers = node.outputs[0].consumers()
    quantizers = [reader for reader in readers if reader.op_type == "QuantizeLinear"]
    _require(all(reader in floats or reader in quantizers for reader in readers), node, "integer ops read its floats")
    _require(len(quantizers) <= 1, node, "its output is quantized more than once")
    source = operand(node).producer()
    if node.op_type in LINEAR and source not in floats:
        scale = None if source is None or source.op_type != "DequantizeLinear" else constant(source.inputs[1])
        _require(scale is not None and scale.size > 1, node, "ONNX Runtime would quantize its weights")


def _verify_moving(node: ir.Node) -> None:
    _require(node.outputs[0].dtype == ir.DataType.UINT8, node, "it does not work on integers")
    if node.op_type == "Concat":
        grids = {grid_of(value) for value in node.inputs if value is not None}
        _require(len(grids - {None}) <= 1, node, "its inputs lie on different grids")


def _require(holds: bool, node: ir.Node, what: str) -> None:
    if not holds:
        raise InternalError(what, where=describe(node))
