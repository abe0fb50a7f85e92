"""When has enough been measured? The end of the warm-up, and how well a median is known.

Travels beside bencher.py, which stops by it; the host computes the figures of a record by it too. Needs NumPy alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

CONFIDENCE = 0.95
PRECISION = 0.02
"""Width of the interval of a median, as a share of it, at which it is known well enough."""

Series = Sequence[np.ndarray]
"""One network an entry, measured in the same rounds: int64 [rounds, runs], nanoseconds of each run."""


def warmup_rounds(series: Series) -> tuple[int, bool]:
    """How many rounds at the start are warm-up, and whether it was seen to end.

    MSER (White, 'An effective truncation heuristic for bias reduction in simulation output', Simulation 69:323-334,
    1997): the truncation whose remaining rounds give the mean the smallest standard error; of the several networks, the
    latest. It looks at the median of each round, so that a single slow run moves nothing, and at no truncation beyond
    the first half. A steady drift has its smallest value there, so that one beyond the first third means that the
    latency was still changing.
    """
    rounds = len(series[0])
    cut = max(_mser(np.median(times, axis=1), rounds // 2) for times in series)
    return cut, 3 * cut <= rounds


def _mser(values: np.ndarray, most: int) -> int:
    """The truncation 0..most with the smallest sum of squared deviations over the square of what remains."""
    left = len(values) - np.arange(most + 1)
    centred = values - values.mean()  # large numbers with small differences keep their digits
    sums = np.cumsum(centred[::-1])[::-1][: most + 1]
    squares = np.cumsum(centred[::-1] ** 2)[::-1][: most + 1]
    return int(np.argmin((squares - sums**2 / left) / left**2))


def median_ranks(n: int, confidence: float = CONFIDENCE) -> tuple[int, int] | None:
    """The two of n sorted values, counted from 0, between which the median lies with at least this confidence.

    How many of n independent values lie below the median is binomial with p = 1/2, whatever their distribution (David
    & Nagaraja, 'Order Statistics', 3rd ed., 2003, section 7.1). None where even the extremes are not enough: below 6
    values for 95 %.
    """
    k = np.arange(1, n // 2 + 1)
    log_terms = np.concatenate([[0.0], np.cumsum(np.log((n - k + 1) / k))]) - n * math.log(2)
    below = int(np.searchsorted(np.cumsum(np.exp(log_terms)), (1 - confidence) / 2, side="right"))
    return (below - 1, n - below) if below else None


def median_interval(values: np.ndarray) -> tuple[float, float] | None:
    """The 95 % interval of the median of independent values, in their unit; None for fewer than 6."""
    ranks = median_ranks(values.size)
    if ranks is None:
        return None
    ordered = np.partition(values.ravel(), ranks)
    return float(ordered[ranks[0]]), float(ordered[ranks[1]])


def relative_width(values: np.ndarray) -> float:
    """The width of `median_interval` as a share of the median; infinite where there is none."""
    interval = median_interval(values)
    return math.inf if interval is None else (interval[1] - interval[0]) / float(np.median(values))


def is_precise(series: Series, rounds: int) -> bool:
    """Whether the warm-up is over, `rounds` follow it, and each median is known to `PRECISION`.

    Runs are taken as independent, as for every interval of a median here.
    """
    cut, settled = warmup_rounds(series)
    if not settled or len(series[0]) - cut < rounds:
        return False
    return all(relative_width(times[cut:]) < PRECISION for times in series)
