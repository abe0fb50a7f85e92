"""The figures of a record, against NumPy and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgegap.bench.figures import WINDOWS, latency_ms, median_ci95_ms, ratio, windows

TIMES = hnp.arrays(
    np.int64, st.tuples(st.integers(6, 30), st.integers(5, 20)), elements=st.integers(1_000, 10_000_000_000)
)


@given(TIMES)
def test_percentiles_and_mean_are_numpys_in_milliseconds(times: np.ndarray) -> None:
    found = latency_ms(times)
    p50, p90, p99 = np.percentile(times / 1e6, [50, 90, 99])
    expected = {"p50": p50, "p90": p90, "p99": p99, "mean": times.mean() / 1e6}
    assert found == pytest.approx(expected, rel=1e-9)
    low, high = median_ci95_ms(times) or (np.inf, 0)
    assert low <= found["p50"] <= high


@given(TIMES, st.integers(2, 50))
def test_a_network_so_many_times_slower_has_that_ratio_exactly(times: np.ndarray, factor: int) -> None:
    assert ratio(factor * times, times) == {"ratio": factor, "ci95": [factor, factor]}


@given(TIMES, st.integers(0, 2**32 - 1))
def test_what_slows_a_round_down_does_not_move_the_ratio(times: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    other = rng.integers(1_000, 100_000, times.shape)
    slowed = rng.uniform(1, 4, (len(times), 1))
    assert ratio(slowed * other, slowed * times)["ratio"] == pytest.approx(ratio(other, times)["ratio"], rel=1e-9)


def test_the_interval_of_the_ratio_covers_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    trials, rounds, runs = 2000, 12, 9
    covered = 0
    for _ in range(trials):
        clock = rng.uniform(1, 2, (rounds, 1))  # of a round, the same for both networks
        upset = rng.lognormal(0, 0.05, (2, rounds, 1))  # of a turn, the same for its runs
        noise = rng.lognormal(0, 0.1, (2, rounds, runs))
        low, high = ratio(0.5 * clock * upset[0] * noise[0], clock * upset[1] * noise[1])["ci95"]
        covered += low <= 0.5 <= high
    # 12 rounds give the ranks 3 and 10, whose coverage is 96.1 %; three standard errors are 1.3 %.
    assert covered / trials == pytest.approx(0.961, abs=0.014)


def test_too_few_rounds_have_a_ratio_and_no_interval() -> None:
    times = np.full((5, 20), 1000)
    assert ratio(times, 2 * times) == {"ratio": 0.5, "ci95": None}


def sample(second: float, khz: int | None) -> dict[str, int | None]:
    nothing = dict.fromkeys(("millicelsius", "get_throttled", "cooling", "throttle_count"))
    return {"ns": int(second * 1e9), "khz": khz, **nothing}


def test_windows_hold_every_run_once_and_the_conditions_of_their_time() -> None:
    seconds = 2.0 * WINDOWS
    rng = np.random.default_rng(0)
    starts = np.sort(rng.integers(0, int(seconds * 1e9), 500))
    times = rng.integers(1_000_000, 2_000_000, (500, 7))
    found = windows(times, starts, [sample(0.5, 3_000), sample(1.5, 1_000), sample(3, None)], seconds)
    assert sum(window["n"] for window in found) == times.size
    assert [window["at_s"] for window in found] == sorted({2.0 * (start // 2_000_000_000) for start in starts})
    assert all(1 <= window["p50_ms"] <= window["p90_ms"] < 2 for window in found)
    assert [window["frequency_mhz"] for window in found[:3]] == [1.0, None, None]


def test_windows_without_a_turn_are_left_out() -> None:
    starts = np.array([0, 59_000_000_000])
    found = windows(np.full((2, 5), 30_000_000_000), starts, [], 60)
    assert [(window["at_s"], window["n"]) for window in found] == [(0, 5), (59, 5)]


def test_a_turn_that_begins_at_the_end_is_in_the_last_window() -> None:
    assert windows(np.full((1, 5), 10), np.array([60_000_000_001]), [], 60)[0]["at_s"] == 59
