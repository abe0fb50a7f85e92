"""Sums and roots of integers that float arithmetic gives alike wherever it runs, as steps of an ONNX function.

Float32 holds every integer up to 2^24, so that a sum that stays below it is exact in whatever order it is taken. More
integers are summed in A blocks of B, whose sums u are exact too. Each u falls into two integers, whose sums over the
blocks are exact:

    h = floor(u / 4096)
    l = u - 4096 h
    sum = 4096 sum(h) + sum(l)                  where the one rounding is that of the last +, on exact values

A root is taken by Heron's iteration, since a runtime's own may be an approximation: d becomes (d + v / d) / 2. Each
step is one IEEE operation on one value. All runtimes take the same steps, so that exactness does not depend on how
many there are.
"""

from __future__ import annotations

LARGEST = 255
"""Of the differences between two integers."""

LARGEST_BLOCK = (2**24 - 1) // LARGEST**2
"""Integers in a block: the sum of their squares is exact, even where all of them are the largest."""

RADIX = 4096
"""Of the two parts of a block's sum: both stay below it."""

CONSTANTS = f"""
            across = Constant <value_ints: ints = [-2]> ()
            radix = Constant <value_float: float = {float(RADIX)}> ()"""
"""What a sum of blocks reads beside `last`, the index of the last axis."""


def sum_of_blocks(x: str, y: str) -> str:
    """`y` [..., 1, 1], the sum of `x` [..., A, B]."""
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


def root(v: str, d: str, iterations: int) -> str:
    """The root of `v`, called `d` and the number of iterations: from `d` and 0 on, by `half`, a constant of 0.5."""
    return "".join(
        f"""
            q{k} = Div ({v}, {d}{k})
            a{k} = Add ({d}{k}, q{k})
            {d}{k + 1} = Mul (a{k}, half)"""
        for k in range(iterations)
    )
