"""Values that no order of float arithmetic can round two ways.

Where an op can only ever see or give a known set of values, those of 256 integers, its grids can be chosen such that
none lies within float32 noise of a tie: a scale is raised by millionths until every value lies at least `MARGIN` LSB
away from one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgegap.quantize.parameters import QMAX, Grid, grid_at

MARGIN = 1e-4
"""LSB."""

_STEP = 1e-6
_STEPS = 5000


def distance_to_tie(values: NDArray[np.floating], grid: Grid) -> float:
    """The least distance, in LSB, of any value that does not saturate from a tie of the grid."""
    exact = values.astype(np.float64) / grid.scale
    off = np.abs(exact - np.floor(exact) - 0.5)
    inside = (exact + grid.zero_point > -1) & (exact + grid.zero_point < QMAX + 1)
    return float(off[inside].min(initial=0.5))


def off_ties(scale: float, lo: float, distance: Callable[[Grid], float]) -> Grid | None:
    """The grid of the least scale, from `scale` on, that keeps all values off ties; None where none is near.

    Args:
        scale: the scale that the grid would have otherwise.
        lo: its smallest value.
        distance: with this grid, the least distance of any value from a tie, in LSB.
    """
    for step in range(_STEPS):
        grid = grid_at(scale * (1 + step * _STEP), lo)
        if distance(grid) >= MARGIN:
            return grid
    return None
