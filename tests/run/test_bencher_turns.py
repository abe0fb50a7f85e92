"""The turns of bencher.py, without a runtime."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgegap.run import bencher


def turns(monkeypatch: pytest.MonkeyPatch, most_runs: int) -> bencher.Turns:
    monkeypatch.setattr(bencher, "SETTLE_NS", 0)
    monkeypatch.setattr(bencher, "TURN_NS", 0)
    monkeypatch.setattr(bencher, "MOST_RUNS", most_runs)
    networks = [SimpleNamespace(run=lambda: None) for _ in range(2)]
    return bencher.Turns(networks, wait=False)  # type: ignore[arg-type]  # all it needs of a network is `run`


def test_every_round_is_kept_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    made = turns(monkeypatch, 10_000)
    for _ in range(40):
        made.round()
    assert [times.shape for times in made.series()] == [(40, bencher.MIN_RUNS)] * 2


def test_when_memory_is_full_rounds_are_thinned_evenly_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    made = turns(monkeypatch, 200)
    began = []
    for _ in range(1000):
        began.append(bencher.clock())
        made.round()
    kept = np.searchsorted(began, np.min(made.starts, axis=1), side="right") - 1
    assert sum(times.size for times in made.series()) <= 200
    assert len(set(np.diff(kept))) == 1
    assert (kept[0], kept[-1] + kept[1] > 999) == (0, True)
    assert len(made.starts) == len(made.series()[0])
