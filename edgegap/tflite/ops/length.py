"""GlobalLpPool: among integers the formulas of `edgegap.graph.integer_length`, step for step."""

from __future__ import annotations

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.integer_length import ITERATIONS, START
from edgegap.graph.nodes import attribute
from edgegap.tflite.steps import Steps
from edgegap.tflite.writer import Writer

_Op = schema.BuiltinOperator


def global_lp_pool(node: ir.Node, w: Writer) -> None:
    """SUM, ROUND and float arithmetic between DEQUANTIZE and QUANTIZE; in float, SUM and SQRT."""
    steps = Steps(node, w)
    if w.result(node) is node.outputs[0]:
        squares = steps.do(_Op.MUL, steps.x, steps.x)
        steps.do(_Op.SQRT, steps.sum_of_map(squares), into=steps.y)
        return
    ratio, step, result_step = (steps.constant(attribute(node, name)) for name in ("ratio", "step", "result_step"))
    n = steps.do(_Op.ROUND, steps.do(_Op.DIV, steps.do(_Op.DEQUANTIZE, steps.x), step))
    d = steps.root(steps.sum_of_rows(steps.do(_Op.MUL, n, n)), steps.constant(START), ITERATIONS)
    r = steps.do(_Op.ROUND, steps.do(_Op.MUL, d, ratio))
    steps.do(_Op.QUANTIZE, steps.do(_Op.MUL, r, result_step), into=steps.y)
