"""The Euclidean length of each channel's map of integers: a GlobalLpPool that comes out the same wherever it runs.

For the map x of one channel, on a grid of step s:

    n = x / s, rounded              the integers, less their zero point
    v = sum(n^2)                    in blocks, the rows of the map (`integer_sums`)
    d = sqrt(v)                     by Heron's iteration
    y = d s / t, rounded, times t   in steps t of the result, so that QuantizeLinear has nothing left to decide
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from edgegap.graph.integer_sums import CONSTANTS, LARGEST_BLOCK, RADIX, root, sum_of_blocks
from edgegap.graph.nodes import DOMAIN, OPSET, operand, shape_of

ITERATIONS = 14
"""Enough for float32's precision at every length from 1 step to 2^17: from `START`, 9 to come near it and 4 more."""

START = 256.0
"""Where the iteration starts, in steps."""


def integer_length_attributes(step: float, result_step: float) -> dict[str, Any]:
    """The attributes of the function that stands for a GlobalLpPool in normal form.

    Args:
        step: the scale of what it reads.
        result_step: the scale of what it gives.
    """
    return {"ratio": float(np.float32(step / result_step)), "result_step": result_step, "step": step}


def integer_length_is_exact(node: ir.Node) -> bool:
    """Whether no sum is rounded in an order of its own: of a map of up to 4096 rows of up to 258 columns."""
    *_, rows, columns = shape_of(operand(node))
    return columns <= LARGEST_BLOCK and rows <= RADIX


def integer_length() -> ir.Function:
    """The formulas above as an ONNX function of x [N, C, H, W]; ONNX Runtime computes it in float."""
    text = f"""
        <domain: "{DOMAIN}", opset_import: ["": {OPSET}]>
        GlobalLpPool <ratio, result_step, step> (x) => (y) {{
            {CONSTANTS}
            last = Constant <value_ints: ints = [-1]> ()
            half = Constant <value_float: float = 0.5> ()
            d0 = Constant <value_float: float = {START}> ()
            s = Constant <value_float: float = @step> ()
            f = Constant <value_float: float = @ratio> ()
            t = Constant <value_float: float = @result_step> ()
            xs = Div (x, s)
            n = Round (xs)
            nn = Mul (n, n)
            {sum_of_blocks("nn", "v")}
            {root("v", "d", ITERATIONS)}
            steps = Mul (d{ITERATIONS}, f)
            r = Round (steps)
            y = Mul (r, t)
        }}"""
    function: ir.Function = ir.serde.deserialize_function(onnx.parser.parse_function(text))
    return function
