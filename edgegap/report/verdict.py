"""The verdict: one sentence on a check record, and its evidence. It words figures of the record and computes none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edgegap.report.figures import MINUS, NBSP, count, images, interval, p_value, percent, points

LITTLE = 1.0
"""Percentage points: an interval that reaches further leaves room for a drop that somebody would mind."""


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Args:
        tone: 'good', 'warn' and 'bad' as a gate would see it; 'plain' where there is nothing to judge.
        claim: in a few words.
        evidence: for it, with figures.
    """

    tone: Literal["good", "warn", "bad", "plain"]
    claim: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.claim}: {self.evidence}."


def verdict(check: dict[str, Any]) -> Verdict:
    """The verdict on an 'edgegap.check/1' record."""
    row = int8_result(check)
    if row is None:
        agree = " and ".join(f"{r['artifact']} on {percent(r['agreement_pct'])}" for r in check["results"])
        evidence = f"of {images(check['n'])}, {agree or 'nothing'} agrees with {check['reference']['artifact']}"
        return Verdict("plain", "This bundle holds no int8 file", evidence)
    accuracy = _accuracy(check, row)
    broken = next((entry for entry in check["identity"] if _broken(entry)), None)
    if broken is not None:
        layer = f", first in {broken['first_layer']}" if broken["first_layer"] else ""
        found = f"{_difference(broken)} where {broken['bound_lsb']} are allowed{layer}; {accuracy.evidence}"
        return Verdict("bad", "The two int8 files give different integers", found)
    gated = _gated(check, row, accuracy)
    agreement = _agreement(check)
    return Verdict(gated.tone, gated.claim, f"{gated.evidence}; {agreement}" if agreement else gated.evidence)


def int8_result(check: dict[str, Any]) -> dict[str, Any] | None:
    """The result that speaks for int8: the gated one, else the one with the largest drop, else the least agreement."""
    rows = [row for row in check["results"] if row["artifact"].startswith("int8")]
    gate = check["gate"]
    gated = [row for row in rows if gate is not None and row["artifact"] == gate["artifact"]]
    return max(gated or rows, key=lambda row: (row["drop_pp"] or 0, -row["agreement_pct"]), default=None)


def _accuracy(check: dict[str, Any], row: dict[str, Any]) -> Verdict:
    share = "all" if row["agreement_pct"] == 100 else f"{percent(row['agreement_pct'], 1)} of"
    agree = f"{share} {images(check['n'])} agree"
    drop, ends = row["drop_pp"], row["drop_ci95_pp"]
    if drop is None:
        evidence = f"{agree}, and without a label on each there is no accuracy and no drop to state"
        return Verdict("plain", "int8 was compared with float answer by answer", evidence)
    if ends is None:
        top1 = f"top-1 is {percent(row['top1_pct'])}, float's {percent(check['reference']['top1_pct'])}"
        return Verdict("plain", f"int8 drops {points(drop)}", f"{agree}, {top1}; the record holds no interval")
    p = "" if row["mcnemar_p"] is None else f", {p_value(row['mcnemar_p'])}"
    figures = f"{agree}, and the drop of {points(drop)} (95{NBSP}% interval {interval(ends)}{p})"
    if ends[0] > 0:
        return Verdict("warn", f"int8 is less accurate than float by {points(drop)}", f"{figures} is more than chance")
    if ends[1] < 0:
        gain = points(drop).replace(MINUS, "")
        return Verdict("good", f"int8 is more accurate than float by {gain}", f"{figures} is more than chance")
    if ends[1] <= LITTLE:
        return Verdict("good", "int8 answers as float does", f"{figures} is not distinguishable from none")
    room = f"{figures} is distinguishable neither from none nor from {points(ends[1])}"
    return Verdict("warn", f"{images(check['n'])} are too few to rule a drop out", room)


def _gated(check: dict[str, Any], row: dict[str, Any], accuracy: Verdict) -> Verdict:
    gate = check["gate"]
    if gate is None:
        return accuracy
    most = points(gate["max_drop_pp"])
    if gate["verdict"] == "passed":
        return Verdict("good", f"int8 passes the gate of {most}", accuracy.evidence)
    if gate["verdict"] == "failed":
        return Verdict("bad", f"int8 fails the gate of {most}", accuracy.evidence)
    needed = "" if gate["images_needed"] is None else f"; about {images(gate['images_needed'])} would be enough"
    return Verdict("warn", f"{images(check['n'])} are too few for the gate of {most}", accuracy.evidence + needed)


def _agreement(check: dict[str, Any]) -> str:
    """Whether the int8 files give the same integers."""
    if not check["identity"]:
        return ""
    different = next((entry for entry in check["identity"] if entry["different"]), None)
    return "both files give the same integers" if different is None else f"of their integers {_difference(different)}"


def _broken(entry: dict[str, Any]) -> bool:
    return entry["bound_lsb"] is not None and entry["max_lsb"] > entry["bound_lsb"]


def _difference(entry: dict[str, Any]) -> str:
    share = f"{count(entry['different'])} of {count(entry['compared'])} differ"
    return f"{share}, by at most {entry['max_lsb']}{NBSP}LSB"
