"""Division of integers by integers that are never negative: a Div that comes out the same wherever it runs.

For a / b, where b lies on a grid of step s whose lowest value is 0, in steps t of the result:

    q = a / max(b, s)       what rounds to 0 is below half a step: nothing is divided by it
    y = q / t, rounded, times t, so that QuantizeLinear has nothing left to decide
"""

from __future__ import annotations

from typing import Any

import onnx
import onnx_ir as ir

from edgegap.graph.nodes import DOMAIN, OPSET


def integer_quotient_attributes(step: float, result_step: float) -> dict[str, Any]:
    """The attributes of the function that stands for a Div in normal form.

    Args:
        step: the scale of what it divides by.
        result_step: the scale of what it gives.
    """
    return {"result_step": result_step, "step": step}


def integer_quotient() -> ir.Function:
    """The formulas above as an ONNX function of a and b, which broadcast; ONNX Runtime computes it in float."""
    text = f"""
        <domain: "{DOMAIN}", opset_import: ["": {OPSET}]>
        Div <result_step, step> (a, b) => (y) {{
            s = Constant <value_float: float = @step> ()
            t = Constant <value_float: float = @result_step> ()
            d = Max (b, s)
            q = Div (a, d)
            steps = Div (q, t)
            r = Round (steps)
            y = Mul (r, t)
        }}"""
    function: ir.Function = ir.serde.deserialize_function(onnx.parser.parse_function(text))
    return function
