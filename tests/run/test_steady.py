"""When enough has been measured: intervals of medians against SciPy, and the end of the warm-up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from edgegap.run.steady import is_precise, median_interval, median_ranks, relative_width, warmup_rounds

ROUNDS = 10


@given(st.integers(6, 20_000))
def test_the_ranks_are_the_narrowest_that_the_binomial_distribution_allows(n: int) -> None:
    ranks = median_ranks(n)
    assert ranks is not None
    low, high = ranks
    assert low + high == n - 1

    def coverage(low: int, high: int) -> float:
        return float(binom.cdf(high, n, 0.5) - binom.cdf(low, n, 0.5))

    assert coverage(low, high) >= 0.95 - 1e-9
    assert coverage(low + 1, high - 1) < 0.95 + 1e-9


@pytest.mark.parametrize("n", range(1, 6))
def test_fewer_than_six_values_have_no_interval(n: int) -> None:
    assert median_ranks(n) is None
    assert median_interval(np.arange(n)) is None
    assert relative_width(np.arange(1, n + 1)) == np.inf


@pytest.mark.parametrize("n", [10, 51, 400])
def test_the_interval_covers_the_median_as_often_as_it_says(n: int) -> None:
    rng = np.random.default_rng(n)
    covered = 0
    for values in rng.lognormal(0, 1, (4000, n)):  # skewed, as latencies are; its median is 1
        low, high = median_interval(values) or (0.0, 0.0)
        covered += low <= 1 <= high
    exact = binom.cdf(n - 1 - median_ranks(n)[0], n, 0.5) - binom.cdf(median_ranks(n)[0], n, 0.5)  # type: ignore[index]  # n >= 6
    assert covered / 4000 == pytest.approx(exact, abs=0.012)  # 3.5 standard errors
    assert exact >= 0.95


@given(st.permutations(range(40)))
def test_the_interval_does_not_depend_on_the_order(values: list[int]) -> None:
    assert median_interval(np.array(values)) == median_interval(np.arange(40))


@given(st.lists(st.integers(100, 10_000), min_size=4, max_size=60))
def test_the_truncation_is_the_one_with_the_smallest_standard_error(medians: list[int]) -> None:
    values = np.array(medians, np.int64)[:, np.newaxis]
    errors = [values[d:].var() / len(values[d:]) for d in range(len(values) // 2 + 1)]
    cut, settled = warmup_rounds([values])
    assert errors[cut] == pytest.approx(min(errors), rel=1e-6, abs=1e-6)
    assert settled == (cut <= len(values) / 3)


def rounds(levels: list[float], *, runs: int = 5, noise: float = 0.002, seed: int = 0) -> np.ndarray:
    """Runs around the level of each round."""
    rng = np.random.default_rng(seed)
    return np.rint(1e6 * np.array(levels)[:, np.newaxis] * rng.normal(1, noise, (len(levels), runs))).astype(np.int64)


@pytest.mark.parametrize("slow", [1, 3, 6])
def test_slow_rounds_at_the_start_are_warm_up(slow: int) -> None:
    cut, settled = warmup_rounds([rounds([1.5] * slow + [1.0] * 30)])
    assert settled
    assert slow <= cut <= slow + 8


def test_the_network_that_warms_up_longest_decides() -> None:
    steady, late = rounds([1.0] * 40), rounds([3.0] * 6 + [1.0] * 34)
    assert warmup_rounds([steady, late])[0] >= 6


def test_a_latency_that_drifts_is_not_settled() -> None:
    assert not warmup_rounds([rounds(list(np.linspace(1, 2, 40)))])[1]


def test_a_single_slow_run_is_no_warm_up() -> None:
    times = rounds([1.0] * 40)
    calm = warmup_rounds([times])
    times[10, 2] *= 50
    assert warmup_rounds([times]) == calm


def test_precise_needs_settled_narrow_medians_of_enough_rounds_of_every_network() -> None:
    good, coarse = rounds([1.0] * 60), rounds([1.0] * 60, noise=0.5)
    cut, _ = warmup_rounds([good])
    assert is_precise([good], ROUNDS)
    assert is_precise([good], 60 - cut)
    assert not is_precise([good], 60 - cut + 1)
    assert not is_precise([good, coarse], ROUNDS)
    assert not is_precise([rounds(list(np.linspace(1, 1.02, 60)))], ROUNDS)
    assert not is_precise([good[:3]], ROUNDS)
