"""The input's grid, nudged until no pixel can round two ways.

A pixel has 256 values per channel, so all that the input quantizer can ever see is known. ONNX Runtime divides by the
scale, XNNPACK multiplies by its reciprocal; where a value lies within float32 noise of a tie they part. The scale is
raised by millionths until every value lies at least `MARGIN` LSB from a tie, so that every order of evaluation gives
the same integer. The same table turns pixels into integers on a device that feeds the integers itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgegap.errors import InternalError
from edgegap.quantize.parameters import QMAX, Grid, affine_grid, grid_at

MARGIN = 1e-4
_STEP = 1e-6
_STEPS = 5000


def pixel_grid(table: NDArray[np.float32]) -> Grid:
    """The input grid for 8-bit images.

    Args:
        table: float32 [C, 256], the value of every pixel of every channel.
    """
    wanted = affine_grid(float(table.min()), float(table.max()))
    for step in range(_STEPS):
        grid = grid_at(wanted.scale * (1 + step * _STEP), min(float(table.min()), 0.0))
        if distance_to_tie(table, grid) >= MARGIN:
            return grid
    raise InternalError("no input scale was found that keeps every pixel value off a tie")


def distance_to_tie(table: NDArray[np.float32], grid: Grid) -> float:
    """The least distance, in LSB, of any pixel value that does not saturate from a tie."""
    exact = table.astype(np.float64) / grid.scale
    off = np.abs(exact - np.floor(exact) - 0.5)
    inside = (exact + grid.zero_point > -1) & (exact + grid.zero_point < QMAX + 1)
    return float(off[inside].min(initial=0.5))


def pixel_integers(table: NDArray[np.float32], grid: Grid) -> NDArray[np.uint8]:
    """The integer of every pixel of every channel, uint8 [C, 256]."""
    return grid.quantize(table)
