"""Why figures that the time limit cut short are less sure than others, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from edgegap.run.steady import PRECISION

ENOUGH_RUNS = 50


def doubts(rows: Sequence[dict[str, Any]], limit: float, *, settled: bool) -> Iterator[str]:
    """One sentence for each doubt.

    Args:
        rows: of one runtime and number of threads, as the record has them.
        limit: that they had, seconds.
        settled: whether the warm-up was seen to end.
    """
    more = f"within {limit:g} s; --time-limit gives it more"
    fewest = min(rows, key=lambda row: int(row["n"]))
    if fewest["n"] < ENOUGH_RUNS:
        yield f"only {fewest['n']} runs of {fewest['artifact']}, where {ENOUGH_RUNS} are wanted, {more}"
        return
    if not settled:
        yield f"the latency was still changing {more}"
        return
    for row in rows:
        low, high = row["latency_ci95_ms"]
        width = (high - low) / row["latency_ms"]["p50"]
        if width >= PRECISION:
            yield f"the median of {row['artifact']} is known to {width:.1%}, where {PRECISION:.0%} is wanted, {more}"
