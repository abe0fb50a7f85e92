"""The input's grid, nudged until no pixel can round two ways.

A pixel has 256 values per channel, so all that the input quantizer can ever see is known. ONNX Runtime divides by the
scale, XNNPACK multiplies by its reciprocal; where a value lies within float32 noise of a tie they part (see `ties`).
The same table turns pixels into integers on a device that feeds the integers itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgegap.errors import InternalError
from edgegap.quantize.parameters import Grid, affine_grid
from edgegap.quantize.ties import distance_to_tie, off_ties


def pixel_grid(table: NDArray[np.float32]) -> Grid:
    """The input grid for 8-bit images.

    Args:
        table: float32 [C, 256], the value of every pixel of every channel.
    """
    lo, hi = min(float(table.min()), 0.0), float(table.max())
    grid = off_ties(affine_grid(lo, hi).scale, lo, lambda grid: distance_to_tie(table, grid))
    if grid is None:
        raise InternalError("no input scale was found that keeps every pixel value off a tie")
    return grid


def pixel_integers(table: NDArray[np.float32], grid: Grid) -> NDArray[np.uint8]:
    """The integer of every pixel of every channel, uint8 [C, 256]."""
    return grid.quantize(table)
