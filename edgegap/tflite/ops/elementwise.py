"""Add and Mul with numpy's broadcasting, and activations that no operator before them could take in."""

from __future__ import annotations

from collections.abc import Callable
from math import isinf
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.nodes import attribute, operand
from edgegap.tflite.activation import fused_activation, limits
from edgegap.tflite.writer import Writer

_Op = schema.BuiltinOperator
_STANDALONE = {schema.ActivationFunctionType.RELU: _Op.RELU, schema.ActivationFunctionType.RELU6: _Op.RELU6}


def add(node: ir.Node, w: Writer) -> None:
    """ADD."""
    _binary(node, w, _Op.ADD, schema.AddOptionsT())


def mul(node: ir.Node, w: Writer) -> None:
    """MUL."""
    _binary(node, w, _Op.MUL, schema.MulOptionsT())


def function(builtin: int) -> Callable[[ir.Node, Writer], None]:
    """An operator of one value without options."""

    def spell(node: ir.Node, w: Writer) -> None:
        _unary(node, w, builtin)

    return spell


def gelu(node: ir.Node, w: Writer) -> None:
    """GELU, of either form."""
    options = schema.GeluOptionsT()
    options.approximate = attribute(node, "approximate", "none") == "tanh"
    _unary(node, w, _Op.GELU, options)


def clip(node: ir.Node, w: Writer) -> None:
    """RELU or RELU6 where it is one, else MAXIMUM and MINIMUM with constants."""
    x, y = operand(node), node.outputs[0]
    low, high = limits(node)
    standalone = _STANDALONE.get(fused_activation(node))
    if standalone is not None:
        w.builder.operator(standalone, [w.read(x)], [w.define(y)])
        return
    steps = [(b, v) for b, v in ((_Op.MAXIMUM, low), (_Op.MINIMUM, high)) if not isinf(v)]
    if not steps:
        w.alias(y, x)
        return
    tensor = w.read(x)
    for k, (builtin, limit) in enumerate(steps):
        is_last = k == len(steps) - 1
        into = w.define(y) if is_last else w.builder.like(tensor, f"{y.name}_unbounded", w.builder.shape(tensor))
        bound = w.builder.constant(f"{y.name}_limit", np.full((1,) * len(w.builder.shape(tensor)), limit, np.float32))
        w.builder.operator(builtin, [tensor, bound], [into], schema.MaximumMinimumOptionsT())
        tensor = into


def _unary(node: ir.Node, w: Writer, builtin: int, options: Any = None) -> None:
    (x,) = w.operands(node)
    w.builder.operator(builtin, [w.read(x)], [w.define(w.result(node))], options)


def _binary(node: ir.Node, w: Writer, builtin: int, options: Any) -> None:
    y, options.fusedActivationFunction = w.activated_result(node)
    inputs = [w.read_broadcast(value, w.layouts.axes[y]) for value in w.operands(node)]
    w.builder.operator(builtin, inputs, [w.define(y)], options)
