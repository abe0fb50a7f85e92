"""Relu and Clip as limits of a value, and the fused activations that TFLite has for them."""

from __future__ import annotations

from math import inf

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.nodes import required_constant

NONE: int = schema.ActivationFunctionType.NONE

_FUSED: dict[tuple[float, float], int] = {
    (0.0, inf): schema.ActivationFunctionType.RELU,
    (0.0, 6.0): schema.ActivationFunctionType.RELU6,
    (-1.0, 1.0): schema.ActivationFunctionType.RELU_N1_TO_1,
}


def limits(node: ir.Node) -> tuple[float, float]:
    """The lowest and the highest value that a Relu or Clip lets through."""
    if node.op_type == "Relu":
        return 0.0, inf
    given = [
        float(required_constant(node, k, name).item())
        if k < len(node.inputs) and node.inputs[k] is not None
        else default
        for k, name, default in ((1, "minimum", -inf), (2, "maximum", inf))
    ]
    return given[0], given[1]


def fused_activation(node: ir.Node | None) -> int:
    """The schema.ActivationFunctionType that `node` is, or NONE."""
    if node is None or node.op_type not in ("Clip", "Relu"):
        return NONE
    return _FUSED.get(limits(node), NONE)
