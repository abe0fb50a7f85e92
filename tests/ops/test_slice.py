"""Slice. Bound: 0. LiteRT's interpreter takes steps above 1, but for a strided depthwise convolution (see `lower`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError

from .harness import Net, check
from .seeded import few


@few(
    st.permutations([1, 2, 3]),
    st.integers(1, 3),
    st.tuples(st.integers(-8, 5), st.integers(-8, 5), st.integers(-8, 5)),
    st.tuples(st.integers(4, 20), st.integers(4, 20), st.integers(4, 20)),
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    st.booleans(),
    st.booleans(),
)
def test_slice_of_any_window_is_exact(axes, count: int, starts, ends, steps, negative: bool, stepped: bool) -> None:
    net = Net((2, 3, 8, 8))
    by = steps if stepped else (1, 1, 1)
    kept = [range(8)[slice(*window)] for window in zip(starts[:count], ends[:count], by[:count], strict=True)]
    assume(all(kept))
    chosen = [axis - 4 if negative else axis for axis in axes[:count]]
    arrays = [list(starts[:count]), list(ends[:count]), chosen, *([list(steps[:count])] if stepped else [])]
    y = net.ints("Slice", net.signed_map(8), *arrays)
    check(net, y, least_values=2, outside=left_to_the_interpreter(dict(zip(axes, kept, strict=False))))


def left_to_the_interpreter(kept: Mapping[int, range]) -> list[str]:
    """A step above 1, but for every k-th row and column of whole maps, which a depthwise convolution takes."""
    narrowed = {axis: r for axis, r in kept.items() if r != range(8)}
    stepped = any(r.step > 1 for r in narrowed.values())
    strided = set(narrowed) <= {2, 3} and all(r == range(0, 8, r.step) for r in narrowed.values())
    return ["STRIDED_SLICE"] if stepped and not strided else []


def test_slice_without_axes_starts_at_the_first() -> None:
    net = Net((2, 3, 8, 8))
    check(net, net.ints("Slice", net.signed_map(8), [0, 2, 1], [2, 7, 8]))


def test_steps_without_axes_are_read() -> None:
    net = Net((2, 3, 8, 8))
    inputs = [net.signed_map(8), *(net.constant(v, np.int64) for v in ([0, 0, 1, 0], [9, 9, 9, 9]))]
    y = net.op("Slice", [*inputs, "", net.constant([1, 2, 2, 3], np.int64)])
    check(net, y, outside=["STRIDED_SLICE"])


@pytest.mark.parametrize("second_axis", [2, 3])
def test_two_slices_in_a_row_are_exact(second_axis: int) -> None:
    net = Net((2, 3, 8, 8))
    x = net.ints("Slice", net.signed_map(8), [1], [7], [2], [2])
    y = net.ints("Slice", x, [-3], [np.iinfo(np.int64).max], [second_axis], [1])
    checked = check(net, y, outside=["STRIDED_SLICE"])
    assert checked.ops() == ["Conv", "Slice"]


def test_a_slice_that_takes_everything_is_gone() -> None:
    net = Net()
    y = net.ints("Slice", net.signed_map(4), [0], [np.iinfo(np.int64).max], [-1])
    assert check(net, y).ops() == ["Conv"]


def test_halves_of_the_channels_are_exact() -> None:
    """A channel split and shuffle, as in ShuffleNet."""
    net = Net((2, 3, 8, 8))
    x = net.op("Relu", [net.signed_map(8)])
    left, right = (net.ints("Slice", x, [k], [k + 4], [1]) for k in (0, 4))
    right = net.op("Relu", [net.conv(right, (4, 4, 3, 3), pads=[1, 1, 1, 1])])
    check(net, net.op("Concat", [right, left], axis=1), lsb=6)


def test_slices_of_vectors_are_exact() -> None:
    net = Net((3, 3, 4, 5))
    y = net.gemm(net.op("Flatten", [net.x]), 30, 60)
    check(net, net.ints("Slice", y, [3], [-2], [1], [2]), outside=["STRIDED_SLICE"])


def test_a_negative_step_is_refused_with_a_way_out() -> None:
    net = Net()
    with pytest.raises(UnsupportedOpError, match="step of -1"):
        check(net, net.ints("Slice", net.signed_map(4), [-1], [-100], [3], [-1]))
