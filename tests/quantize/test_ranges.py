"""Ranges: 0.0 is in them, and the least-squares range is no worse than the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.seeded import many

from edgegap.quantize.parameters import affine_grid
from edgegap.quantize.ranges import choose_range, logit_range
from edgegap.quantize.statistics import Statistics

seeds = st.integers(0, 10_000)


def seen(values: np.ndarray, weights: np.ndarray | None = None) -> Statistics:
    statistics = Statistics()
    batch = values.astype(np.float32).reshape(1, -1)
    statistics.update(batch, detailed=True)
    if weights is not None:
        statistics.update_weighted(batch, weights.reshape(1, -1))
    return statistics


def squared_error(statistics: Statistics, span: tuple[float, float]) -> float:
    grid, centres = affine_grid(*span), statistics.histogram.centres()
    return float(statistics.histogram.counts @ (grid.dequantize(grid.quantize(centres)) - centres) ** 2)


@pytest.mark.parametrize("method", ["minmax", "mse", "margin"])
@many(seed=seeds, shift=st.floats(-5, 5), tails=st.floats(1, 8))
def test_a_range_holds_zero_and_no_more_than_was_seen(method, seed: int, shift: float, tails: float) -> None:
    values = np.random.default_rng(seed).standard_t(tails, 500) + shift
    statistics = seen(values)
    lo, hi = choose_range(statistics, method)
    assert min(statistics.lo, 0.0) <= lo <= 0.0 <= hi <= max(statistics.hi, 0.0)


@many(seed=seeds, shift=st.floats(-5, 5), tails=st.floats(1, 8))
def test_the_least_squares_range_is_no_worse_than_the_whole(seed: int, shift: float, tails: float) -> None:
    statistics = seen(np.random.default_rng(seed).standard_t(tails, 500) + shift)
    chosen, whole = (squared_error(statistics, choose_range(statistics, method)) for method in ("mse", "minmax"))
    assert chosen <= whole * (1 + 1e-9)


def test_an_outlier_is_clipped_by_least_squares_and_kept_by_minmax() -> None:
    values = np.concatenate([np.random.default_rng(0).normal(size=100_000), [12.0]])
    statistics = seen(values)
    assert choose_range(statistics, "minmax")[1] == 12.0
    assert choose_range(statistics, "mse")[1] < 8.0


def test_ends_are_clipped_each_on_its_own() -> None:
    values = np.random.default_rng(0).normal(size=100_000).clip(-2, None)
    lo, hi = choose_range(seen(np.append(values, 15.0)), "mse")
    assert lo == pytest.approx(-2.0, rel=0.1)
    assert hi < 8


@pytest.mark.parametrize("method", ["minmax", "mse", "margin"])
@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
def test_a_constant_activation_has_a_range(method, value: float) -> None:
    lo, hi = choose_range(seen(np.full(10, value)), method)
    assert lo <= 0 <= hi
    assert affine_grid(lo, hi).scale > 0


def test_values_that_move_the_margin_are_kept_and_others_are_clipped() -> None:
    values = np.append(np.random.default_rng(0).normal(size=20_000), [12.0] * 20)
    deaf = choose_range(seen(values, np.append(np.ones(20_000), np.zeros(20))), "margin")
    heard = choose_range(seen(values, np.append(np.ones(20_000), np.full(20, 100.0))), "margin")
    assert deaf[1] < 5
    assert heard[1] > 11


def test_what_never_moves_the_margin_has_the_range_of_least_squares() -> None:
    values = np.append(np.random.default_rng(0).normal(size=20_000), 12.0)
    statistics = seen(values, np.zeros_like(values))
    assert choose_range(statistics, "margin") == choose_range(statistics, "mse")


def logits_of(seed: int, images: int, classes: int, shift: float) -> tuple[np.ndarray, Statistics]:
    """Logits [images, classes], and their statistics image by image."""
    logits = (np.random.default_rng(seed).standard_normal((images, classes)) * 5 + shift).astype(np.float32)
    statistics = Statistics()
    for image in logits:
        statistics.update(image[None], detailed=True, logits=True)
    return logits, statistics


@many(seed=seeds, images=st.integers(1, 5), classes=st.integers(1, 30), shift=st.floats(-20, 20))
def test_the_range_of_logits_holds_the_five_largest_of_every_image_and_zero(
    seed: int, images: int, classes: int, shift: float
) -> None:
    logits, statistics = logits_of(seed, images, classes, shift)
    lo, hi = logit_range(statistics)
    five = np.sort(logits, axis=1)[:, -5:]
    assert lo == min(float(five.min()), 0.0)
    assert hi == max(float(logits.max()), 0.0)


def test_logits_that_are_merged_with_something_else_keep_their_range() -> None:
    _, statistics = logits_of(0, 3, 20, 0.0)
    merged = statistics.merged(seen(np.array([-40.0, 1.0])))
    assert logit_range(merged) == (-40.0, statistics.hi)
