"""Does a prediction survive a small translation, as global average pooling promises, in int8 as well as in float?

Zhang, 'Making convolutional networks shift-invariant again', ICML 2019: consistency is the share of images whose
prediction stays when they are shifted. Each image gets one shift, so that the images stay independent and the interval
for paired proportions holds. Pixels that a shift uncovers repeat the edge: a black bar would be a second change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegap.check.statistics import paired_drop_interval
from edgegap.errors import InputError


@dataclass(frozen=True)
class ShiftConsistency:
    """How often the prediction stays, float beside int8.

    Args:
        n: images, each shifted once.
        pixels: the largest shift along either axis.
        float_pct: images whose float prediction stays.
        int8_pct: images whose int8 prediction stays.
        difference_pp: the first less the second, positive where int8 is less consistent.
        difference_ci95_pp: Tango's interval for paired proportions.
    """

    n: int
    pixels: int
    float_pct: float
    int8_pct: float
    difference_pp: float
    difference_ci95_pp: tuple[float, float]


def random_shifts(n: int, pixels: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """dx and dy, int64 [n] each: uniform over all shifts of at most `pixels` along either axis, (0, 0) left out.

    Raises:
        InputError: `pixels` below 1.
    """
    if pixels < 1:
        raise InputError(f"cannot shift by at most {pixels} pixels", hint="Give 1 or more.")
    side = 2 * pixels + 1
    stay = side * side // 2
    drawn = np.random.default_rng(seed).integers(side * side - 1, size=n)
    dy, dx = np.divmod(drawn + (drawn >= stay), side)
    return dx - pixels, dy - pixels


def shifted(pixels: NDArray[np.uint8], dx: int | NDArray[np.int64], dy: int | NDArray[np.int64]) -> NDArray[np.uint8]:
    """Images whose content is moved right by `dx` and down by `dy` pixels, the edges repeated.

    Args:
        pixels: uint8 [n, H, W, C].
        dx: for all images, or int64 [n]; negative moves left.
        dy: likewise; negative moves up.
    """
    n, height, width, _ = pixels.shape
    rows = np.clip(np.arange(height) - np.broadcast_to(dy, n)[:, None], 0, height - 1)
    columns = np.clip(np.arange(width) - np.broadcast_to(dx, n)[:, None], 0, width - 1)
    moved: NDArray[np.uint8] = pixels[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved


def shift_consistency(
    float_predictions: tuple[NDArray[np.int64], NDArray[np.int64]],
    int8_predictions: tuple[NDArray[np.int64], NDArray[np.int64]],
    pixels: int,
) -> ShiftConsistency:
    """Compare how often the predictions of both artifacts stay. Needs no labels.

    Args:
        float_predictions: int64 [n] before and after the shift, n at least 1.
        int8_predictions: int64 [n] before and after the same shift.
        pixels: the largest shift along either axis.
    """
    float_stays, int8_stays = (before == after for before, after in (float_predictions, int8_predictions))
    n = len(float_stays)
    lost, won = int((float_stays & ~int8_stays).sum()), int((int8_stays & ~float_stays).sum())
    return ShiftConsistency(
        n,
        pixels,
        100 * float(float_stays.mean()),
        100 * float(int8_stays.mean()),
        100 * (lost - won) / n,
        paired_drop_interval(lost, won, n),
    )
