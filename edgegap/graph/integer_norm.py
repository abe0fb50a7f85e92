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

The sum of the squares of 1032 channels stays below 2^24. More of them are summed in blocks (`integer_sums`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from edgegap.graph.integer_sums import CONSTANTS, LARGEST, LARGEST_BLOCK, RADIX, root, sum_of_blocks
from edgegap.graph.nodes import DOMAIN, OPSET, attribute, operand, shape_of

BLOCKED_DOMAIN = "edgegap.blocked"
"""Of the function of the same name that sums in blocks."""

ITERATIONS = 8
"""Enough for float32's precision where the standard deviation of a position is between half a step and 127 steps; below
that the result is damped."""

START = 8.0
"""Where the iteration starts, as a standard deviation in steps."""


def integer_norm_domain(channels: int) -> str:
    """The domain of the function that normalizes so many channels."""
    return DOMAIN if blocks_of(channels) is None else BLOCKED_DOMAIN


def integer_norm_attributes(node: ir.Node, step: float, result_step: float) -> dict[str, Any]:
    """The attributes of the function that stands for a canonical LayerNormalization in normal form.

    Args:
        node: over the last axis.
        step: the scale of what it reads.
        result_step: the scale of what it gives.
    """
    shape, epsilon = shape_of(operand(node)), attribute(node, "epsilon", 1e-5)
    channels, blocks = shape[-1], blocks_of(shape[-1])
    attributes = {
        "channels": float(channels),
        "epsilon": epsilon,
        "offset": float(np.float32(epsilon * channels**2 / step**2)),
        "result_step": result_step,
        "step": step,
    }
    if blocks is None:
        return attributes
    kept = [0] * (len(shape) - 1)
    return attributes | {"split": [*kept, *blocks], "joined": [*kept, channels]}


def integer_norm_is_exact(channels: int) -> bool:
    """Whether no sum is rounded in an order of its own: up to 1032 channels, and where more of them have blocks."""
    return _fits_at_once(channels) or blocks_of(channels) is not None


def blocks_of(channels: int) -> tuple[int, int] | None:
    """A blocks of B channels whose sums are exact; None where all channels can be summed at once, or nothing divides
    them so.
    """
    if _fits_at_once(channels):
        return None
    size = next(size for size in range(LARGEST_BLOCK, 0, -1) if channels % size == 0)
    return (channels // size, size) if channels // size <= RADIX else None


def _fits_at_once(channels: int) -> bool:
    """Whether sum(c^2) stays below 2^24, whatever the integers are: it is largest where half of them are 0."""
    return channels * ((LARGEST / 2) ** 2 + 0.25) < 2**24


def integer_norm(domain: str = DOMAIN) -> ir.Function:
    """The formulas above as an ONNX function of x [..., C]; ONNX Runtime computes it in float.

    Args:
        domain: `BLOCKED_DOMAIN` for sums in blocks.
    """
    blocked = domain == BLOCKED_DOMAIN
    total = sum_of_blocks if blocked else _sum_at_once
    text = f"""
        <domain: "{domain}", opset_import: ["": {OPSET}]>
        LayerNormalization <channels, epsilon, offset, result_step, step{", split, joined" if blocked else ""}>
                (x) => (y) {{
            {_BLOCKED_CONSTANTS if blocked else ""}
            last = Constant <value_ints: ints = [-1]> ()
            half = Constant <value_float: float = 0.5> ()
            start = Constant <value_float: float = {START}> ()
            C = Constant <value_float: float = @channels> ()
            e = Constant <value_float: float = @offset> ()
            s = Constant <value_float: float = @step> ()
            t = Constant <value_float: float = @result_step> ()
            {"xb = Reshape (x, blocks)" if blocked else ""}
            xs = Div ({"xb" if blocked else "x"}, s)
            n = Round (xs)
            {total("n", "total")}
            mean = Div (total, C)
            m = Round (mean)
            c = Sub (n, m)
            {total("c", "sum")}
            cc = Mul (c, c)
            {total("cc", "squares")}
            Csquares = Mul (squares, C)
            sumsum = Mul (sum, sum)
            spread = Sub (Csquares, sumsum)
            v = Add (spread, e)
            d0 = Mul (C, start)
            {root("v", "d", ITERATIONS)}
            dt = Mul (d{ITERATIONS}, t)
            factor = Div (C, dt)
            shift = Div (sum, C)
            centred = Sub (c, shift)
            steps = Mul (centred, factor)
            r = Round (steps)
            {"yb = Mul (r, t) y = Reshape (yb, whole)" if blocked else "y = Mul (r, t)"}
        }}"""
    function: ir.Function = ir.serde.deserialize_function(onnx.parser.parse_function(text))
    return function


_BLOCKED_CONSTANTS = f"""
            blocks = Constant <value_ints: ints = @split> ()
            whole = Constant <value_ints: ints = @joined> ()
            {CONSTANTS}"""


def _sum_at_once(x: str, y: str) -> str:
    return f"{y} = ReduceSum ({x}, last)"
