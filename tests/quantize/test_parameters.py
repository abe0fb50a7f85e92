"""Grids: zero is exact, the range is covered, constants are exact where they can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.seeded import many

from edgegap.quantize.parameters import QMAX, Grid, affine_grid, constant_grid, grid_at

ends = st.floats(-1e4, 1e4, width=32)
scales = st.floats(2.0**-20, 2.0**10, width=32)


@many(ends, ends)
def test_zero_is_an_integer_of_every_grid(a: float, b: float) -> None:
    grid = affine_grid(min(a, b), max(a, b))
    assert 0 <= grid.zero_point <= QMAX
    assert grid.dequantize(grid.quantize(np.zeros(1)))[0] == 0.0


@many(ends, ends)
def test_the_range_is_covered_to_within_half_a_step(a: float, b: float) -> None:
    lo, hi = min(a, b, 0.0), max(a, b, 0.0)
    grid = affine_grid(lo, hi)
    slack = grid.scale * (0.5 + 1e-4)
    assert grid.lo <= lo + slack
    assert grid.hi >= hi - slack
    if hi - lo > 1e-6:
        assert grid.hi - grid.lo <= (hi - lo) * (1 + 1e-6)


@many(ends, ends)
def test_a_scale_is_what_float32_holds(a: float, b: float) -> None:
    scale = affine_grid(min(a, b), max(a, b)).scale
    assert scale == float(np.float32(scale)) > 0


@many(scales, st.integers(0, QMAX))
def test_every_integer_survives_the_way_to_a_real_value_and_back(scale: float, zero_point: int) -> None:
    grid, integers = Grid(scale, zero_point), np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(grid.quantize(grid.dequantize(integers)), integers)


@many(scales, st.integers(0, QMAX), st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_values_on_the_grid_are_rounded_to_the_nearest_and_others_saturate(scale, zero_point, values) -> None:
    grid, x = Grid(scale, zero_point), np.array(values)
    assert (np.abs(grid.dequantize(grid.quantize(x)) - np.clip(x, grid.lo, grid.hi)) <= scale / 2 * (1 + 1e-9)).all()


def test_rounding_is_half_to_even() -> None:
    assert Grid(1.0, 10).quantize(np.array([0.5, 1.5, 2.5, -0.5])).tolist() == [10, 12, 12, 10]


@pytest.mark.parametrize("value", [0.0, 1e-9])
def test_a_range_without_extent_gets_one(value: float) -> None:
    assert affine_grid(0.0, value) == Grid(float(np.float32(1 / 255)), 0)


@many(scales, st.floats(-1e4, 0))
def test_a_given_scale_is_kept(scale: float, lo: float) -> None:
    grid = grid_at(scale, lo)
    assert grid.scale == scale
    assert abs(grid.lo - max(lo, -QMAX * scale)) <= scale / 2 * (1 + 1e-9)


@many(scales, st.lists(st.integers(-120, 120), min_size=1, max_size=40))
def test_a_constant_of_few_levels_is_exact(scale: float, levels: list[int]) -> None:
    array = np.float32(np.array(levels) * scale)
    grid = constant_grid(array)
    np.testing.assert_allclose(grid.dequantize(grid.quantize(array)), array, rtol=1e-5, atol=0)


@many(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=50))
def test_any_constant_is_within_half_a_step(values: list[float]) -> None:
    array = np.array(values, np.float32)
    grid = constant_grid(array)
    slack = 0.5 * grid.scale * (1 + 1e-3) if np.ptp([0, *values]) > 1e-6 else 1e-6
    assert np.abs(grid.dequantize(grid.quantize(array)) - array).max() <= slack + 1e-5 * np.abs(array).max()
