"""What is said of figures that the time limit cut short."""

from __future__ import annotations

from typing import Any

from edgegap.bench.doubts import doubts


def row(name: str, *, n: int = 200, width: float = 0.01) -> dict[str, Any]:
    ends = None if n < 6 else [1 - width / 2, 1 + width / 2]
    return {"artifact": name, "n": n, "latency_ms": {"p50": 1.0}, "latency_ci95_ms": ends}


def test_good_figures_raise_none() -> None:
    assert not list(doubts([row("a"), row("b")], 30, settled=True))


def test_too_few_runs_are_said_first() -> None:
    (said,) = doubts([row("a", n=100, width=0.3), row("b", n=5)], 2, settled=False)
    assert "only 5 runs of b, where 50 are wanted, within 2 s" in said
    assert "--time-limit" in said


def test_a_latency_that_still_changed_is_said() -> None:
    (said,) = doubts([row("a")], 30, settled=False)
    assert "still changing within 30 s" in said


def test_each_median_that_is_not_known_well_is_said() -> None:
    said = list(doubts([row("a", width=0.054), row("b"), row("c", width=0.02)], 30, settled=True))
    assert ["of a is known to 5.4%" in said[0], "of c is known to 2.0%" in said[1]] == [True, True]
