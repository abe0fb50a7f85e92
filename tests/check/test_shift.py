"""Small translations of the images, and whether predictions survive them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from edgegap.check.shift import random_shifts, shift_consistency, shifted
from edgegap.check.statistics import paired_drop_interval
from edgegap.errors import InputError

IMAGE = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)[None, :, :, None]


def test_content_moves_right_and_down_and_edges_repeat() -> None:
    assert shifted(IMAGE, 1, 0)[0, :, :, 0].tolist() == [[1, 1, 2], [4, 4, 5]]
    assert shifted(IMAGE, 0, 1)[0, :, :, 0].tolist() == [[1, 2, 3], [1, 2, 3]]
    assert shifted(IMAGE, -1, -1)[0, :, :, 0].tolist() == [[5, 6, 6], [5, 6, 6]]


def test_each_image_may_have_its_own_shift() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    dx, dy = np.array([0, 1, -2, 3, 0]), np.array([0, -1, 2, 0, 4])
    together = shifted(images, dx, dy)
    for k in range(5):
        assert np.array_equal(together[k : k + 1], shifted(images[k : k + 1], int(dx[k]), int(dy[k])))


@given(st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([(1, 1, 1), (5, 4, 3), (8, 8, 1)]))
def test_shift_agrees_with_scipy_and_leaves_the_originals(dx: int, dy: int, shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, *shape)).astype(np.uint8)
    before = images.copy()
    result = shifted(images, dx, dy)
    assert result.dtype == np.uint8
    assert np.array_equal(result, ndimage.shift(images, (0, dy, dx, 0), order=0, mode="nearest"))
    assert np.array_equal(images, before)


def test_random_shifts_are_every_shift_but_none_equally_often_and_the_same_each_time() -> None:
    dx, dy = random_shifts(80_000, 1)
    shifts, times = np.unique(np.stack([dx, dy], axis=1), axis=0, return_counts=True)
    expected = [[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1) if (x, y) != (0, 0)]
    assert shifts.tolist() == expected
    assert np.abs(times - 10_000).max() < 500
    again = random_shifts(80_000, 1)
    assert np.array_equal(again[0], dx)
    assert np.array_equal(again[1], dy)
    assert not np.array_equal(random_shifts(80_000, 1, seed=1)[0], dx)


@pytest.mark.parametrize("pixels", [0, -3])
def test_no_shift_at_all_is_refused(pixels: int) -> None:
    with pytest.raises(InputError, match="cannot shift"):
        random_shifts(4, pixels)


def test_consistency_of_float_and_int8_is_compared_on_the_same_images() -> None:
    before = np.array([0, 1, 2, 3, 4])
    floats = (before, np.array([0, 1, 2, 3, 0]))
    int8s = (np.array([0, 1, 2, 0, 4]), np.array([0, 0, 0, 0, 4]))
    result = shift_consistency(floats, int8s, pixels=4)
    assert (result.n, result.pixels, result.float_pct, result.int8_pct) == (5, 4, 80.0, 60.0)
    assert result.difference_pp == 20.0
    assert result.difference_ci95_pp == paired_drop_interval(2, 1, 5)


@pytest.mark.parametrize(("stays", "pct"), [(True, 100.0), (False, 0.0)])
def test_one_image_and_identical_predictions_still_have_an_interval(stays: bool, pct: float) -> None:
    pair = (np.array([3]), np.array([3 if stays else 4]))
    result = shift_consistency(pair, pair, pixels=1)
    assert (result.n, result.float_pct, result.int8_pct, result.difference_pp) == (1, pct, pct, 0.0)
    assert result.difference_ci95_pp == paired_drop_interval(0, 0, 1)
