"""Layer normalization of integers, in float arithmetic that comes out the same wherever it runs.

A float LayerNormalization differs between runtimes in its last bits, and so its rounding in single integers. Here every
sum is a sum of integers that float32 holds exactly, in whatever order it is taken, and everything else is one IEEE
operation on one value: +, -, *, / and rounding, which every machine does alike. For C values x of one position, on a
grid of step s:

    n = x / s, rounded                          the integers, less their zero point
    c = n - m, with m = sum(n) / C rounded      small integers around 0
    v = C sum(c^2) - sum(c)^2 + C^2 e / s^2     C^2 times the variance, in steps, and epsilon
    d = sqrt(v)                                 by Heron's iteration: a runtime's own root may be an approximation
    y = (c - sum(c) / C) * (C / (d t))          in steps t of the result
    y, rounded, times t                         so that QuantizeLinear has nothing left to decide

Layer normalization does not see a shift or a scale of what it reads (Ba, Kiros and Hinton, 'Layer Normalization', 2016,
equation 3 and table 1), which is why integers will do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from edgegap.graph.nodes import OPSET, attribute, operand, shape_of

DOMAIN = "edgegap"
"""Of the ONNX function, so that the normal form has one node where the network has one."""

ITERATIONS = 8
"""Enough for float32's precision where the standard deviation of a position is between half a step and 127 steps; below
that the result is damped. Every runtime takes the same steps, so that exactness does not depend on it."""

_LARGEST = 255
"""Of the differences between two integers."""

START = 8.0
"""Where the iteration starts, as a standard deviation in steps."""


def integer_norm_attributes(node: ir.Node, step: float, result_step: float) -> dict[str, Any]:
    """The attributes of the function that stands for a canonical LayerNormalization in normal form.

    Args:
        node: over the last axis.
        step: the scale of what it reads.
        result_step: the scale of what it gives.
    """
    channels, epsilon = shape_of(operand(node))[-1], attribute(node, "epsilon", 1e-5)
    return {
        "channels": float(channels),
        "epsilon": epsilon,
        "offset": float(np.float32(epsilon * channels**2 / step**2)),
        "result_step": result_step,
        "step": step,
    }


def integer_norm_is_exact(channels: int) -> bool:
    """Whether sum(c^2) stays below 2^24, whatever the integers are, so that float32 holds it: up to 1032 channels."""
    return channels * ((_LARGEST / 2) ** 2 + 0.25) < 2**24


def integer_norm() -> ir.Function:
    """The formulas above as an ONNX function of x [..., C]; ONNX Runtime computes it in float."""
    iterations = "".join(
        f"q{k} = Div (v, d{k}) a{k} = Add (d{k}, q{k}) d{k + 1} = Mul (a{k}, half)\n" for k in range(ITERATIONS)
    )
    text = f"""
        <domain: "{DOMAIN}", opset_import: ["": {OPSET}]>
        LayerNormalization <channels, epsilon, offset, result_step, step> (x) => (y) {{
            last = Constant <value_ints: ints = [-1]> ()
            half = Constant <value_float: float = 0.5> ()
            start = Constant <value_float: float = {START}> ()
            C = Constant <value_float: float = @channels> ()
            e = Constant <value_float: float = @offset> ()
            s = Constant <value_float: float = @step> ()
            t = Constant <value_float: float = @result_step> ()
            xs = Div (x, s)
            n = Round (xs)
            total = ReduceSum (n, last)
            mean = Div (total, C)
            m = Round (mean)
            c = Sub (n, m)
            sum = ReduceSum (c, last)
            cc = Mul (c, c)
            squares = ReduceSum (cc, last)
            Csquares = Mul (squares, C)
            sumsum = Mul (sum, sum)
            spread = Sub (Csquares, sumsum)
            v = Add (spread, e)
            d0 = Mul (C, start)
            {iterations}
            dt = Mul (d{ITERATIONS}, t)
            factor = Div (C, dt)
            shift = Div (sum, C)
            centred = Sub (c, shift)
            steps = Mul (centred, factor)
            r = Round (steps)
            y = Mul (r, t)
        }}"""
    function: ir.Function = ir.serde.deserialize_function(onnx.parser.parse_function(text))
    return function
