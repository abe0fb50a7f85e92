"""Slices with everything written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError
from edgegap.graph.nodes import constant
from edgegap.graph.slicing import normalize_slices

from .models import ints, only, ops, passed, ready


def columns(node) -> list[list[int]]:
    return [constant(value).tolist() for value in node.inputs[1:]]


def test_starts_ends_axes_and_steps_are_given_and_clamped() -> None:
    model = ready("y = Slice(x, s, e, a)", s=ints(-4, 1), e=ints(np.iinfo(np.int64).max, -1), a=ints(-1, 2))
    assert columns(only(passed(normalize_slices, model), "Slice")) == [[1, 2], [5, 6], [2, 3], [1, 1]]


def test_axes_and_steps_may_be_left_out() -> None:
    model = ready("y = Slice(x, s, e)", s=ints(0, 1), e=ints(2, 3))
    assert columns(only(passed(normalize_slices, model), "Slice")) == [[1], [3], [1], [1]]
    model = ready('y = Slice(x, s, e, "", t)', s=ints(0, 0), e=ints(2, 3), t=ints(1, 2))
    assert columns(only(passed(normalize_slices, model), "Slice")) == [[0], [3], [1], [2]]


def test_a_written_slice_stays() -> None:
    model = ready("y = Slice(x, s, e, a, t)", s=ints(1), e=ints(5), a=ints(2), t=ints(2))
    passed(normalize_slices, model, changes=False)


@pytest.mark.parametrize(
    "body",
    ["a = Slice(x, s, e, h) y = Slice(a, s, e, w)", "a = Slice(x, s, e, h) b = Slice(a, s, e, w) y = Relu(b)"],
)
def test_slices_of_different_axes_in_a_row_become_one(body: str) -> None:
    model = passed(normalize_slices, ready(body, s=ints(1), e=ints(5), h=ints(2), w=ints(3)))
    assert columns(only(model, "Slice")) == [[1, 1], [5, 5], [2, 3], [1, 1]]


def test_slices_of_one_axis_stay_two() -> None:
    model = ready("a = Slice(x, s, e, h) y = Slice(a, s, e, h)", s=ints(1), e=ints(5), h=ints(2))
    assert ops(passed(normalize_slices, model)) == ["Slice", "Slice"]


def test_a_slice_that_others_read_stays() -> None:
    body = "a = Slice(x, s, e, h) b = Slice(a, s, e, w) c = Slice(a, z, f, w) d = Add(b, c) y = Relu(d)"
    model = ready(body, s=ints(1), e=ints(5), z=ints(0), f=ints(4), h=ints(2), w=ints(3))
    assert ops(passed(normalize_slices, model)) == ["Slice", "Slice", "Slice", "Add", "Relu"]


@pytest.mark.parametrize("body", ["r = Relu(x) y = Slice(r, s, e, a)", "b = Slice(x, s, e, a) y = Relu(b)"])
def test_a_slice_that_takes_everything_is_gone(body: str) -> None:
    assert ops(passed(normalize_slices, ready(body, s=ints(0, -9), e=ints(6, 99), a=ints(2, 3)))) == ["Relu"]


def test_a_negative_step_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="a step of -1"):
        normalize_slices(ready("y = Slice(x, s, e, a, t)", s=ints(5), e=ints(0), a=ints(3), t=ints(-1)))


def test_a_start_computed_at_run_time_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="start is computed at run time"):
        normalize_slices(ready("n = Shape<start=3>(x) y = Slice(x, n, e, a)", e=ints(9), a=ints(2)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-8, 3), st.sampled_from([4, 5, -1, 99]), st.integers(1, 3)), min_size=2, max_size=2),
    st.permutations([1, 2, 3]),
)
def test_any_slice_is_written_as_numpy_takes_it(cuts: list[tuple[int, int, int]], axes: list[int]) -> None:
    s, e, t = (ints(*column) for column in zip(*cuts, strict=True))
    model = ready("b = Slice(x, s, e, a, t) y = Relu(b)", x="float[1,5,6,7]", s=s, e=e, t=t, a=ints(*axes[:2]))
    expected = normalize_slices(model)
    fresh = ready("b = Slice(x, s, e, a, t) y = Relu(b)", x="float[1,5,6,7]", s=s, e=e, t=t, a=ints(*axes[:2]))
    passed(normalize_slices, fresh, changes=expected)
