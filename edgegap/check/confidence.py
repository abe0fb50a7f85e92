"""How sure the networks are of their answers, how often int8 cannot tell two classes apart, and top-5 accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

_BINS = 15


@dataclass(frozen=True)
class Confidence:
    """How sure a network is, and whether it may be.

    Args:
        mean_confidence: the mean probability of its answer, 0 to 1.
        ece: expected calibration error, 0 to 1; None without labels.
    """

    mean_confidence: float
    ece: float | None


@dataclass(frozen=True)
class Ties:
    """Images in which several classes share the largest integer, so that their order decides and not the network.

    Args:
        tied_images: how many.
        lost_to_ties: those of them that float has right and int8 wrong although the label is among the largest; None
            without labels.
    """

    tied_images: int
    lost_to_ties: int | None


def confidence(logits: NDArray[Any], labels: NDArray[np.int64] | None, scale: float = 1.0) -> Confidence:
    """Mean top-1 probability and expected calibration error.

    Guo, Pleiss, Sun & Weinberger, 'On calibration of modern neural networks', ICML 2017, equation 3: 15 bins of equal
    width, each open at its lower end; the gap between accuracy and mean confidence of each, weighted by its images.

    Args:
        logits: [n, classes], float, or the integers of an int8 artifact.
        labels: int64 [n]; None where there are none.
        scale: of one integer step; 1 for float. The zero point cancels in a softmax.
    """
    probabilities = softmax(scale * logits.astype(np.float64), axis=1)
    top = probabilities.max(axis=1)
    if labels is None:
        return Confidence(float(top.mean()), None)
    gap = (logits.argmax(axis=1) == labels) - top
    bins = np.clip(np.ceil(_BINS * top).astype(np.int64) - 1, 0, _BINS - 1)
    ece = np.abs(np.bincount(bins, weights=gap)).sum() / len(top)
    return Confidence(float(top.mean()), float(ece))


def ties(integers: NDArray[Any], labels: NDArray[np.int64] | None, float_predictions: NDArray[np.int64]) -> Ties:
    """How often classes tie for the largest integer, and how many lost images that explains.

    Args:
        integers: [n, classes], of an int8 artifact.
        labels: int64 [n]; None where there are none.
        float_predictions: int64 [n], the float network's answers.
    """
    largest = integers == integers.max(axis=1, keepdims=True)
    tied = int((largest.sum(axis=1) > 1).sum())
    if labels is None:
        return Ties(tied, None)
    lost = (float_predictions == labels) & (integers.argmax(axis=1) != labels)
    # A lost image whose label is among the largest is always tied: another class won by its index.
    return Ties(tied, int((lost & largest[np.arange(len(labels)), labels]).sum()))


def top_k_pct(logits: NDArray[Any], labels: NDArray[np.int64] | None, k: int = 5) -> float | None:
    """Images whose label is among the `k` largest logits, percent.

    Among equal logits the class with the lower index comes first, as argmax has it: so `k` = 1 is top-1 accuracy, an
    image that is right in the top-1 is right in the top-5, and exactly `k` classes are in the top `k` however many tie.

    Args:
        logits: [n, classes], float or integers.
        labels: int64 [n]; None where there are none.
        k: how many classes count.
    """
    if labels is None:
        return None
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    before = np.arange(logits.shape[1]) < labels[:, None]
    rank = ((logits > own) | ((logits == own) & before)).sum(axis=1)
    return 100 * float((rank < k).mean())
