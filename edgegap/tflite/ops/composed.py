"""Mish and Softplus: the formulas of `edgegap.graph.composed`, step for step."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.tflite.steps import Steps
from edgegap.tflite.writer import Writer

_Op = schema.BuiltinOperator


def mish(node: ir.Node, w: Writer) -> None:
    """LOGISTIC and float arithmetic."""
    _spell(_mish, node, w)


def softplus(node: ir.Node, w: Writer) -> None:
    """RELU less the LOG of the LOGISTIC of ABS."""
    _spell(_softplus, node, w)


def _spell(formula: Callable[[Steps, int, int | None], int], node: ir.Node, w: Writer) -> None:
    """A formula, which writes into the tensor that it is given, if any; among integers, of what they stand for."""
    steps = Steps(node, w)
    if w.result(node) is node.outputs[0]:
        formula(steps, steps.x, steps.y)
    else:
        steps.do(_Op.QUANTIZE, formula(steps, steps.do(_Op.DEQUANTIZE, steps.x), None), into=steps.y)


def _mish(steps: Steps, x: int, into: int | None) -> int:
    s, two = steps.do(_Op.LOGISTIC, x), steps.constant(2)
    u = steps.do(_Op.MUL, s, steps.do(_Op.SUB, two, s))
    share = steps.do(_Op.DIV, u, steps.do(_Op.SUB, two, u))
    return steps.do(_Op.MUL, x, share, into=into)


def _softplus(steps: Steps, x: int, into: int | None) -> int:
    log = steps.do(_Op.LOG, steps.do(_Op.LOGISTIC, steps.do(_Op.ABS, x)))
    return steps.do(_Op.SUB, steps.do(_Op.RELU, x), log, into=into)
