"""Clip: free behind arithmetic where its ends fit a grid, a requantize elsewhere. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError

from .harness import Net, check
from .seeded import few

ends = st.sampled_from(
    [(0, 6), (-1, 1), (0, 0.5), (0, None), (None, 0.5), (-0.25, None), (None, 0), (-3, 0.1), (-0.3, 2), (0, 0.1)]
)


def clip(net: Net, x: str, lo: float | None, hi: float | None) -> str:
    inputs = ["" if end is None else net.constant(np.float32(end)) for end in (lo, hi)]
    while inputs and not inputs[-1]:
        inputs.pop()
    return net.op("Clip", [x, *inputs])


@pytest.mark.parametrize("op", ["Conv", "Add", "Mul", "GlobalAveragePool"])
@few(limits=ends, opset=st.integers(17, 20))
def test_clip_behind_arithmetic_is_exact(op: str, limits, opset: int) -> None:
    net = Net()
    a = x = net.signed_map(8)
    if op != "Conv":
        x = net.op(op, [a, *([net.signed_map(8)] if op in ("Add", "Mul") else [])])
    check(net, clip(net, x, *limits), of=[a, x], opset=opset, least_values=2)


@few(ends)
def test_clip_behind_moved_values_is_exact(limits) -> None:
    net = Net()
    x = net.op("Concat", [net.signed_map(4), net.signed_map(3)], axis=1)
    check(net, clip(net, x, *limits), of=[x], least_values=2)


@pytest.mark.parametrize("limits", [(0.5, 2), (-2, -0.5)])
def test_a_range_without_zero_is_refused_with_a_way_out(limits: tuple[float, float]) -> None:
    net = Net()
    with pytest.raises(UnsupportedOpError, match="never gives 0"):
        check(net, clip(net, net.signed_map(4), *limits))


def test_a_small_part_of_a_sum_is_refused_with_a_way_out() -> None:
    net = Net()
    total = net.op("Add", [net.signed_map(4), net.signed_map(4)])
    with pytest.raises(UnsupportedOpError, match="no grid clips it alike"):
        check(net, clip(net, total, 0, 0.01))


def test_clip_of_vectors_behind_a_flatten_is_exact() -> None:
    net = Net((3, 3, 4, 5))
    x = net.signed_map(4)
    check(net, clip(net, net.op("Flatten", [x]), 0, 1), of=[x])


def test_clip_of_the_input_is_exact() -> None:
    net = Net()
    check(net, clip(net, net.x, -1, 1))


def test_clip_without_ends_does_nothing() -> None:
    net = Net()
    assert check(net, net.op("Clip", [net.signed_map(4)])).arithmetic() == ["Conv"]


def test_clip_of_a_value_that_is_read_before_too_is_exact() -> None:
    net = Net()
    x = net.signed_map(5)
    check(net, net.op("Add", [x, clip(net, x, 0, 1)]))


def test_clip_that_nothing_reaches_is_exact() -> None:
    net = Net()
    check(net, clip(net, net.signed_map(5), -1000, 1000))


def test_ends_behind_constant_nodes_are_read() -> None:
    net = Net()
    lo, hi = (net.op("Constant", [], value_float=v) for v in (0.0, 6.0))
    check(net, net.op("Clip", [net.signed_map(5), lo, hi]))
