"""GPTQ: its integers are no worse than the nearest where inputs are correlated, and the nearest where they are not."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st
from ops.seeded import few, many

from edgegap.quantize.rounding import compensated

seeds = st.integers(0, 10_000)


def correlated(rng: np.random.Generator, groups: int, size: int) -> np.ndarray:
    """Second moments of inputs that share a few causes, as neighbouring pixels do."""
    mixing = rng.normal(size=(groups, size, max(2, size // 4)))
    return mixing @ mixing.transpose(0, 2, 1) + 0.05 * np.eye(size)


def error(steps: np.ndarray, integers: np.ndarray, moments: np.ndarray) -> float:
    off = steps - integers
    return float(np.einsum("grd,gde,gre->", off, moments, off))


def test_the_error_of_correlated_inputs_is_well_below_that_of_rounding_to_the_nearest() -> None:
    rng = np.random.default_rng(0)
    moments, steps = correlated(rng, 2, 96), rng.normal(size=(2, 40, 96)) * 30
    assert error(steps, compensated(steps, moments, 127), moments) < 0.5 * error(steps, np.rint(steps), moments)


@many(seeds, st.integers(1, 3), st.integers(1, 70))
def test_uncorrelated_inputs_give_the_nearest_integers(seed: int, groups: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    moments = np.stack([np.diag(rng.uniform(0.1, 9, size)) for _ in range(groups)])
    steps = rng.normal(size=(groups, 5, size)) * 40
    np.testing.assert_array_equal(compensated(steps, moments, 127), np.rint(steps).clip(-127, 127))


@many(seeds, st.floats(1e-12, 1e12))
def test_the_unit_of_the_inputs_does_not_matter(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    moments, steps = correlated(rng, 1, 20), rng.normal(size=(1, 6, 20)) * 40
    np.testing.assert_array_equal(compensated(steps, moments, 127), compensated(steps, moments * unit, 127))


@many(seeds, st.integers(1, 130))
def test_integers_stay_within_the_limit_and_the_weights_as_they_were(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    moments, steps = correlated(rng, 1, size), rng.normal(size=(1, 4, size)) * 120
    before = steps.copy()
    found = compensated(steps, moments, 127)
    assert np.abs(found).max() <= 127
    np.testing.assert_array_equal(found, np.rint(found))
    np.testing.assert_array_equal(steps, before)


def test_inputs_that_never_vary_give_the_nearest_integers() -> None:
    steps = np.random.default_rng(0).normal(size=(2, 3, 9)) * 50
    np.testing.assert_array_equal(compensated(steps, np.zeros((2, 9, 9)), 127), np.rint(steps))


def test_a_channel_a_thousand_times_as_large_does_not_spoil_the_others() -> None:
    rng = np.random.default_rng(0)
    sizes = np.append(1000.0, np.ones(30))
    moments, steps = correlated(rng, 1, 31) * np.outer(sizes, sizes), rng.normal(size=(1, 20, 31)) * 40
    found = compensated(steps, moments, 127)
    assert len(np.unique(found)) > 20
    assert error(steps, found, moments) <= error(steps, np.rint(steps), moments)


@few(seeds)
def test_two_weights_are_near_the_best_of_all_integers(seed: int) -> None:
    """By brute force over the integers around them."""
    rng = np.random.default_rng(seed)
    moments, steps = correlated(rng, 1, 2), rng.normal(size=(1, 1, 2)) * 10
    around = [np.floor(w) + np.arange(-1, 3) for w in steps[0, 0]]
    best = min(error(steps, np.array([[pair]]), moments) for pair in itertools.product(*around))
    found = error(steps, compensated(steps, moments, 127), moments)
    assert best - 1e-9 <= found <= error(steps, np.rint(steps), moments) + 1e-9
