"""The verdict says what the record says, in one sentence, and judges as the record does."""

from __future__ import annotations

from typing import Any

import pytest

from edgegap.report.verdict import verdict
from edgegap.schema import read_record

from .bundles import RECORDS

Change = dict[str, Any]


def check(gate: Change | None = None, identity: Change | None = None, **result: Any) -> dict[str, Any]:
    """The check record of the tests, with its int8 results, its gate and its identity changed."""
    record = read_record(RECORDS / "check.json", "check")
    for row in record["results"]:
        if row["artifact"].startswith("int8"):
            row.update(result)
    record["gate"] = None if gate is None else record["gate"] | gate
    record["identity"][0] |= identity or {}
    return record


def plain(text: object) -> str:
    return str(text).replace("\u00a0", " ")


def test_no_visible_drop_is_said_with_its_evidence() -> None:
    found = verdict(check(agreement_pct=98.91, drop_pp=0.05, drop_ci95_pp=[-0.12, 0.23], mcnemar_p=0.65))
    assert found.tone == "good"
    assert plain(found) == (
        "int8 answers as float does: 98.9 % of 500 images agree, and the drop of 0.05 pp (95 % interval −0.12 to "
        "0.23 pp, p = 0.65) is not distinguishable from none; both files give the same integers."
    )


@pytest.mark.parametrize(
    ("ends", "tone", "claim"),
    [
        ([0.1, 2.5], "warn", "int8 is less accurate than float by 1.20 pp"),
        ([-2.0, -0.1], "good", "int8 is more accurate than float by 1.20 pp"),
        ([-0.1, 3.0], "warn", "500 images are too few to rule a drop out"),
        ([-0.1, 1.0], "good", "int8 answers as float does"),
        (None, "plain", "int8 drops 1.20 pp"),
    ],
)
def test_the_interval_decides(ends: list[float] | None, tone: str, claim: str) -> None:
    drop = -1.2 if ends and ends[1] < 0 else 1.2
    found = verdict(check(drop_pp=drop, drop_ci95_pp=ends))
    assert (found.tone, plain(found.claim)) == (tone, claim)


@pytest.mark.parametrize(
    ("gate", "tone", "words"),
    [
        ({"verdict": "passed"}, "good", "int8 passes the gate of 1.00 pp"),
        ({"verdict": "failed"}, "bad", "int8 fails the gate of 1.00 pp"),
        ({"verdict": "too few images", "images_needed": 3100}, "warn", "about 3,100 images would be enough"),
        ({"verdict": "too few images"}, "warn", "500 images are too few for the gate of 1.00 pp"),
    ],
)
def test_a_gate_comes_first(gate: Change, tone: str, words: str) -> None:
    found = verdict(check(gate))
    assert found.tone == tone
    assert words in plain(found)


def test_different_integers_outrank_a_passed_gate() -> None:
    broken = {"different": 12, "max_lsb": 3, "bound_lsb": 0, "first_layer": "stem.conv"}
    found = verdict(check({"verdict": "passed"}, broken))
    assert found.tone == "bad"
    assert "12 of 5,000 differ, by at most 3 LSB where 0 are allowed, first in stem.conv" in plain(found)


def test_a_difference_within_its_bound_is_told_and_no_alarm() -> None:
    found = verdict(check(None, {"different": 12, "max_lsb": 1, "bound_lsb": None}, drop_ci95_pp=[-0.1, 0.1]))
    assert found.tone == "good"
    assert "of their integers 12 of 5,000 differ, by at most 1 LSB" in plain(found)


def test_without_labels_agreement_is_told_and_no_drop() -> None:
    found = verdict(check(top1_pct=None, drop_pp=None, lost=None, won=None, drop_ci95_pp=None, mcnemar_p=None))
    assert found.tone == "plain"
    assert "97.4 % of 500 images agree, and without a label on each there is no accuracy" in plain(found)


def test_a_bundle_without_int8_is_no_judgement() -> None:
    record = check()
    record["results"] = record["results"][:1]
    assert verdict(record).tone == "plain"
    assert "no int8 file" in plain(verdict(record))


def test_the_worse_of_the_two_int8_files_speaks() -> None:
    record = check(drop_ci95_pp=[-0.1, 0.1])
    record["results"][2] |= {"drop_pp": 9.0, "drop_ci95_pp": [8.0, 10.0]}
    assert "by 9.00 pp" in plain(verdict(record))


def test_an_early_record_gets_a_verdict() -> None:
    assert "the record holds no interval" in plain(verdict(read_record(RECORDS / "early_check.json", "check")))
