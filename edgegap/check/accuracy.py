"""The accuracy of every artifact against the float reference: the `reference`, `results` and `gate` of a record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.check.confidence import confidence, ties, top_k_pct
from edgegap.check.statistics import mcnemar_p, non_inferiority, paired_drop_interval
from edgegap.run import Result

_TOP5_FROM = 11
"""Top-5 accuracy is shown from this many classes on."""


@dataclass(frozen=True, eq=False)
class Row:
    """The answers of one artifact in an order that argmax understands.

    Args:
        artifact: the file.
        target: the profile of the device that it ran on.
        result: as the runtime gave it.
        logits: [n, classes], float32, or the signed integers of an int8 artifact.
        scale: of one integer step; None for a float artifact.
    """

    artifact: str
    target: str
    result: Result
    logits: NDArray[Any]
    scale: float | None

    @property
    def predictions(self) -> NDArray[np.int64]:
        """int64 [n], the class of the largest logit; the lower index where two are equal."""
        predictions: NDArray[np.int64] = self.logits.argmax(axis=1)
        return predictions


def reference_of(row: Row, labels: NDArray[np.int64] | None) -> dict[str, Any]:
    """The `reference` of a record: the float network's own accuracy and confidence."""
    return {"artifact": row.artifact, "runtime": row.result.runtime, **_alone(row, labels)}


def result_of(row: Row, reference: Row, labels: NDArray[np.int64] | None) -> dict[str, Any]:
    """One of the `results` of a record: an artifact against the reference, paired image by image.

    Without labels only the agreement is known, and the rest is None.
    """
    mine, theirs = row.predictions, reference.predictions
    result: dict[str, Any] = {
        "artifact": row.artifact,
        "runtime": row.result.runtime,
        "target": row.target,
        **_alone(row, labels),
        "agreement_pct": 100 * float((mine == theirs).mean()),
        **dict.fromkeys(("drop_pp", "drop_ci95_pp", "mcnemar_p", "lost", "won", "tied_images", "lost_to_ties")),
    }
    if row.scale is not None:
        result |= asdict(ties(row.logits, labels, theirs))
    if labels is not None:
        lost, won = (
            int(((theirs == labels) & (mine != labels)).sum()),
            int(((theirs != labels) & (mine == labels)).sum()),
        )
        n = len(labels)
        result |= {"lost": lost, "won": won, "drop_pp": 100 * (lost - won) / n, "mcnemar_p": mcnemar_p(lost, won)}
        result["drop_ci95_pp"] = list(paired_drop_interval(lost, won, n))
    return result


def gate_of(result: dict[str, Any], n: int, max_drop_pp: float) -> dict[str, Any]:
    """The `gate` of a record: is the drop of one artifact's `result` below `max_drop_pp`?"""
    gate = non_inferiority(result["lost"], result["won"], n, max_drop_pp)
    return {"max_drop_pp": max_drop_pp, "artifact": result["artifact"], **asdict(gate)}


def _alone(row: Row, labels: NDArray[np.int64] | None) -> dict[str, Any]:
    top1 = None if labels is None else 100 * float((row.predictions == labels).mean())
    top5 = top_k_pct(row.logits, labels) if row.logits.shape[1] >= _TOP5_FROM else None
    return {"top1_pct": top1, "top5_pct": top5, **asdict(confidence(row.logits, labels, row.scale or 1.0))}
