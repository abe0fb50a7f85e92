"""The ops that are ONNX functions in normal form: their bodies are float steps that both runtimes compute alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx_ir as ir

from edgegap.graph.composed import COMPOSED, composed
from edgegap.graph.integer_length import integer_length, integer_length_attributes
from edgegap.graph.integer_norm import integer_norm, integer_norm_attributes, integer_norm_domain
from edgegap.graph.integer_quotient import integer_quotient, integer_quotient_attributes
from edgegap.graph.nodes import DOMAIN, operand, shape_of, unsupported
from edgegap.quantize.parameters import Grid

_BODIES: Mapping[str, Callable[[], ir.Function]] = {"Div": integer_quotient, "GlobalLpPool": integer_length}


def function_domain(node: ir.Node) -> str:
    """The domain of the function that stands for `node`; '' where its op stays ONNX's own."""
    if node.op_type == "LayerNormalization":
        return integer_norm_domain(shape_of(operand(node))[-1])
    return DOMAIN if node.op_type in COMPOSED or node.op_type in _BODIES else ""


def function_attributes(node: ir.Node, grids: Mapping[str, Grid]) -> Mapping[str, Any]:
    """The attributes of `node` in normal form.

    Args:
        node: of a lowered model.
        grids: of every activation, by name.

    Raises:
        UnsupportedOpError: it divides by what may be negative.
    """
    if node.op_type not in ("Div", "GlobalLpPool", "LayerNormalization"):
        return node.attributes
    source, result = grids[str(operand(node).name)], grids[str(node.outputs[0].name)]
    if node.op_type == "GlobalLpPool":
        return integer_length_attributes(source.scale, result.scale)
    if node.op_type == "LayerNormalization":
        return integer_norm_attributes(node, source.scale, result.scale)
    divisor = grids[str(operand(node, 1).name)]
    if divisor.zero_point:
        what = f"it divides by values from {divisor.lo:.3g} on, and has an exact int8 form only from 0 on"
        raise unsupported(node, what, "Divide by what is never negative, such as a norm or a Sigmoid.")
    return integer_quotient_attributes(divisor.scale, result.scale)


def normal_function(domain: str, op_type: str) -> ir.Function:
    """The function that a node of `function_domain` calls."""
    if op_type in COMPOSED:
        return composed(op_type)
    return _BODIES[op_type]() if op_type in _BODIES else integer_norm(domain)
