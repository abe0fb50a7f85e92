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

Float32 holds every integer up to 2^24, and so the sum of the squares of 1032 channels. More of them are summed in A
blocks of B, A B = C, whose sums u are exact too. Each falls into two integers, whose sums over the blocks are exact:

    h = floor(u / 4096)
    l = u - 4096 h
    sum = 4096 sum(h) + sum(l)                  where the one rounding is that of the last +, on exact values
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from edgegap.graph.nodes import OPSET, attribute, operand, shape_of

DOMAIN = "edgegap"
"""Of the ONNX function, so that the normal form has one node where the network has one."""

BLOCKED_DOMAIN = "edgegap.blocked"
"""Of the function of the same name that sums in blocks."""

ITERATIONS = 8
"""Enough for float32's precision where the standard deviation of a position is between half a step and 127 steps; below
that the result is damped. Every runtime takes the same steps, so that exactness does not depend on it."""

_LARGEST = 255
"""Of the differences between two integers."""

_LARGEST_BLOCK = (2**24 - 1) // _LARGEST**2
"""Channels: unlike the mean of all, that of a block may lie anywhere, so that all of its squares may be the largest."""

START = 8.0
"""Where the iteration starts, as a standard deviation in steps."""

RADIX = 4096
"""Of the two parts of a block's sum: both stay below it."""


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
    size = next(size for size in range(_LARGEST_BLOCK, 0, -1) if channels % size == 0)
    return (channels // size, size) if channels // size <= RADIX else None


def _fits_at_once(channels: int) -> bool:
    """Whether sum(c^2) stays below 2^24, whatever the integers are: it is largest where half of them are 0."""
    return channels * ((_LARGEST / 2) ** 2 + 0.25) < 2**24


def integer_norm(domain: str = DOMAIN) -> ir.Function:
    """The formulas above as an ONNX function of x [..., C]; ONNX Runtime computes it in float.

    Args:
        domain: `BLOCKED_DOMAIN` for sums in blocks.
    """
    iterations = "".join(
        f"q{k} = Div (v, d{k}) a{k} = Add (d{k}, q{k}) d{k + 1} = Mul (a{k}, half)\n" for k in range(ITERATIONS)
    )
    blocked = domain == BLOCKED_DOMAIN
    total = _sum_of_blocks if blocked else _sum_at_once
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
            {iterations}
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
            across = Constant <value_ints: ints = [-2]> ()
            radix = Constant <value_float: float = {float(RADIX)}> ()"""


def _sum_at_once(x: str, y: str) -> str:
    return f"{y} = ReduceSum ({x}, last)"


def _sum_of_blocks(x: str, y: str) -> str:
    """Of x [..., A, B]."""
    return f"""
            {y}_u = ReduceSum ({x}, last)
            {y}_q = Div ({y}_u, radix)
            {y}_h = Floor ({y}_q)
            {y}_r = Mul ({y}_h, radix)
            {y}_l = Sub ({y}_u, {y}_r)
            {y}_H = ReduceSum ({y}_h, across)
            {y}_L = ReduceSum ({y}_l, across)
            {y}_R = Mul ({y}_H, radix)
            {y} = Add ({y}_R, {y}_L)"""
