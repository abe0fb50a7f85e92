"""What is suspicious about the float network's answers, before anybody blames the quantizer.

Apart from `linter`, which looks at images alone, because SciPy takes a second to import and export needs none of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

from edgegap.check.statistics import mcnemar_p

_FEWEST = 16
"""Fewer answers say nothing."""

_ALPHA = 0.01


def lint_results(predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: Sequence[str]) -> list[str]:
    """What is suspicious about the float network's predictions.

    Args:
        predicted: [n], the class of the largest float output.
        labels: [n], from 0 up.
        classes: the names of the network's outputs.

    Returns:
        At most one line: that one class is predicted for everything; that another order of the labels fits far better
        (shifted by one, or the best one-to-one assignment: Kuhn, The Hungarian method, 1955); or that the accuracy is
        not above 1 / classes (exact one-sided binomial test at 1 %). Fewer than 16 images say nothing.
    """
    n = len(labels)
    if n < _FEWEST or len(classes) < 2:
        return []
    right = int((predicted == labels).sum())
    seen = f"the float network has {right} of {n} images right ({100 * right / n:.1f} %)"
    if np.ptp(labels) > 0 and np.ptp(predicted) == 0:
        name = classes[int(predicted[0])]
        return [f"{seen} and calls every image {name!r}: check the preprocessing and the weights"]
    reordered, how = _reordered(predicted, labels, len(classes))
    if reordered >= n / 2 and reordered - right >= n / 5:
        return [f"{seen}, but {reordered} with {how}: are the classes in another order? Give it with --classes"]
    chance = 1 / len(classes)
    if binomtest(right, n, chance, alternative="greater").pvalue > _ALPHA:
        return [
            f"{seen}, not more than chance gives ({100 * chance:.3g} %): "
            "check the order of the classes (--classes), the labels, the preprocessing and the weights"
        ]
    return []


def swap_gains(right: NDArray[np.bool_], right_swapped: NDArray[np.bool_]) -> str | None:
    """A line where exchanging red and blue gains 3 points or more, and by more than chance (exact McNemar test, 1 %).

    Args:
        right: [n], whether the float network has image k right.
        right_swapped: [n], the same for `swapped` images.
    """
    lost, won = int((right & ~right_swapped).sum()), int((right_swapped & ~right).sum())
    p = mcnemar_p(lost, won)
    if 100 * (won - lost) < 3 * len(right) or p > _ALPHA:
        return None
    return (
        f"with red and blue exchanged the float network has {100 * right_swapped.mean():.1f} % of {len(right)} images "
        f"right instead of {100 * right.mean():.1f} % (McNemar p = {p:.1g}): set channels in the preprocessing to the "
        "other of 'rgb' and 'bgr'"
    )


def _reordered(predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: int) -> tuple[int, str]:
    """How many images another order of the labels has right at most, and which order."""
    best = max((int((predicted + shift == labels).sum()), f"labels shifted by {-shift:+d}") for shift in (-1, 1))
    # Fewer images for each class, and some order fits by chance.
    if len(labels) >= max(10 * classes, 100):
        confusion = np.zeros((classes, classes), dtype=np.int64)
        np.add.at(confusion, (labels, predicted), 1)
        assigned = int(confusion[linear_sum_assignment(confusion, maximize=True)].sum())
        best = max(best, (assigned, "the labels in another order"), key=lambda found: found[0])
    return best
