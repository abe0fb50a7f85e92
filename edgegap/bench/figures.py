"""From the time of every run to the figures of a record. Times are int64 nanoseconds [rounds, runs]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bench.conditions import Sample, state
from edgegap.run.steady import median_interval

Times = NDArray[np.int64]

_MS = 1e6
WINDOWS = 60


def latency_ms(times: Times) -> dict[str, float]:
    """Median, 90th and 99th percentile (interpolated between the two nearest runs) and mean, milliseconds."""
    p50, p90, p99 = (float(value) for value in np.percentile(times, (50, 90, 99)) / _MS)
    return {"p50": p50, "p90": p90, "p99": p99, "mean": float(times.mean() / _MS)}


def median_ci95_ms(times: Times) -> list[float] | None:
    """The 95 % interval of the median (`median_interval`), milliseconds."""
    interval = median_interval(times)
    return None if interval is None else [end / _MS for end in interval]


def ratio(times: Times, against: Times) -> dict[str, Any]:
    """How long one network takes relative to another that was measured in the same rounds.

    Each round gives one ratio of medians, so that what slows a round down slows both. `ratio` is their median, `ci95`
    its interval by order statistics (`median_interval`), which for paired values is the inversion of the sign test
    (Conover, 'Practical Nonparametric Statistics', 3rd ed., 1999, section 3.4); None below 6 rounds. Rounds, not runs,
    are what is independent here: runs of one round share its clock and its disturbances.
    """
    ratios = np.median(times, axis=1) / np.median(against, axis=1)
    interval = median_interval(ratios)
    return {"ratio": float(np.median(ratios)), "ci95": None if interval is None else list(interval)}


def windows(times: Times, starts: Times, samples: Sequence[Sample], seconds: float) -> list[dict[str, Any]]:
    """Latency and conditions over time, in `WINDOWS` windows of equal length; those without a turn are left out.

    Args:
        times: of one network.
        starts: when each turn of it began, nanoseconds [rounds].
        samples: of conditions, each with its `ns`.
        seconds: that the measurement lasted.
    """
    edges = np.linspace(0, seconds * 1e9, WINDOWS + 1)
    window = np.clip(np.searchsorted(edges, starts, side="right") - 1, 0, WINDOWS - 1)
    found = []
    for k in np.unique(window):
        inside = [sample for sample in samples if edges[k] <= (sample["ns"] or 0) < edges[k + 1]]
        during = state(inside) if inside else None
        chosen = times[window == k]
        found.append(
            {
                "at_s": float(edges[k] / 1e9),
                "n": int(chosen.size),
                "p50_ms": float(np.median(chosen) / _MS),
                "p90_ms": float(np.percentile(chosen, 90) / _MS),
                "frequency_mhz": during and during.frequency_mhz,
                "temperature_c": during and during.temperature_c,
            }
        )
    return found
