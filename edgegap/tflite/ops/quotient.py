"""Div: among integers the formulas of `edgegap.graph.integer_quotient`, step for step."""

from __future__ import annotations

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.nodes import attribute
from edgegap.tflite.steps import Steps
from edgegap.tflite.writer import Writer

_Op = schema.BuiltinOperator


def div(node: ir.Node, w: Writer) -> None:
    """DIV, and MAXIMUM, ROUND and MUL around it, between DEQUANTIZE and QUANTIZE; in float, DIV alone."""
    steps, y = Steps(node, w), w.result(node)
    a, b = (w.read_broadcast(value, w.layouts.axes[y]) for value in w.operands(node))
    if y is node.outputs[0]:
        steps.do(_Op.DIV, a, b, into=steps.y)
        return
    step, result_step = (steps.constant(attribute(node, name)) for name in ("step", "result_step"))
    divisor = steps.do(_Op.MAXIMUM, steps.do(_Op.DEQUANTIZE, b), step)
    q = steps.do(_Op.DIV, steps.do(_Op.DEQUANTIZE, a), divisor)
    r = steps.do(_Op.ROUND, steps.do(_Op.DIV, q, result_step))
    steps.do(_Op.QUANTIZE, steps.do(_Op.MUL, r, result_step), into=steps.y)
