"""Which classes lost, and what they were taken for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegap.check.statistics import benjamini_hochberg, mcnemar_p


@dataclass(frozen=True)
class ClassDrop:
    """What one class lost.

    Args:
        name: of the class.
        n: images of it.
        float_right: that the float network has right.
        int8_right: that the int8 artifact has right.
        drop_pp: the first less the second, percentage points of n.
        p: exact McNemar, of this class alone.
        p_adjusted: for as many tests as there are classes with images (Benjamini & Hochberg).
    """

    name: str
    n: int
    float_right: int
    int8_right: int
    drop_pp: float
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class Confusion:
    """Lost images of one class that int8 took for another.

    Args:
        label: the class that they show.
        float: what the float network answered: the label, or the image would not be lost.
        int8: what the int8 artifact answered.
        images: how many.
    """

    label: str
    float: str
    int8: str
    images: int


def per_class(
    labels: NDArray[np.int64] | None,
    float_predictions: NDArray[np.int64],
    int8_predictions: NDArray[np.int64],
    classes: Sequence[str] | None,
) -> list[ClassDrop]:
    """The drop of every class that has images, worst first.

    Among equal drops the more significant comes first, then the order of the classes. Judge by `p_adjusted`: of 1000
    classes 50 have p below 0.05 by chance alone.

    Args:
        labels: int64 [n], an index of a class each; None where there are none.
        float_predictions: int64 [n], the largest logit.
        int8_predictions: int64 [n].
        classes: their names; None names them by index.

    Returns:
        One row a class; nothing without labels.
    """
    if labels is None:
        return []
    present = np.unique(labels)
    float_right, int8_right = float_predictions == labels, int8_predictions == labels
    n, float_n, int8_n, lost, won = (
        np.bincount(labels[chosen], minlength=int(present[-1]) + 1)[present].tolist()
        for chosen in (..., float_right, int8_right, float_right & ~int8_right, int8_right & ~float_right)
    )
    p = [mcnemar_p(*discordant) for discordant in zip(lost, won, strict=True)]
    rows = [
        ClassDrop(_name(k, classes), n[i], float_n[i], int8_n[i], 100 * (lost[i] - won[i]) / n[i], p[i], adjusted)
        for i, (k, adjusted) in enumerate(zip(present.tolist(), benjamini_hochberg(p), strict=True))
    ]
    return sorted(rows, key=lambda row: (-row.drop_pp, row.p))


def confusions(
    labels: NDArray[np.int64] | None,
    float_predictions: NDArray[np.int64],
    int8_predictions: NDArray[np.int64],
    classes: Sequence[str] | None,
) -> list[Confusion]:
    """The pairs of classes that the lost images were confused between, most images first, then in class order.

    Arguments as for `per_class`; nothing without labels.
    """
    if labels is None:
        return []
    lost = (float_predictions == labels) & (int8_predictions != labels)
    counts = Counter(zip(labels[lost].tolist(), int8_predictions[lost].tolist(), strict=True))
    return [
        Confusion(_name(label, classes), _name(label, classes), _name(answer, classes), images)
        for (label, answer), images in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _name(k: int, classes: Sequence[str] | None) -> str:
    return str(k) if classes is None else classes[k]
