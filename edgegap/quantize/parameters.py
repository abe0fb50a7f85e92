"""Quantization parameters: how a scale and a zero point are chosen.

Jacob et al., 'Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference', 2018,
equation 1:
    real = scale * (integer - zero_point)
Activations are per-tensor asymmetric uint8 (0..255); weights are per-channel symmetric int8 (-127..127, zero point 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QMAX = 255
WMAX = 127
SIGNED = 128
"""How far the uint8 grid lies above the int8 grid, which is the same otherwise."""

_SMALLEST_RANGE = 1e-6


@dataclass(frozen=True)
class Grid:
    """The quantization parameters of one activation, on the uint8 grid (int8 is the same grid, 128 lower).

    Args:
        scale: a positive float that float32 represents exactly.
        zero_point: the integer that stands for 0.0, in 0..255.
    """

    scale: float
    zero_point: int

    @property
    def lo(self) -> float:
        """The smallest real value on the grid."""
        return -self.zero_point * self.scale

    @property
    def hi(self) -> float:
        """The largest real value on the grid."""
        return (QMAX - self.zero_point) * self.scale

    def quantize(self, x: NDArray[np.floating]) -> NDArray[np.uint8]:
        """The integers of real values: round half to even, then saturate."""
        integers = np.rint(np.asarray(x, np.float64) / self.scale) + self.zero_point
        saturated: NDArray[np.uint8] = np.clip(integers, 0, QMAX).astype(np.uint8)
        return saturated

    def dequantize(self, q: NDArray[np.integer]) -> NDArray[np.float64]:
        """The real values of integers."""
        return (np.asarray(q, np.float64) - self.zero_point) * self.scale


def grid_at(scale: float, lo: float) -> Grid:
    """The grid of a given scale whose smallest value is as near to `lo` <= 0 as an integer zero point allows."""
    rounded = float(np.float32(scale))
    return Grid(rounded, int(np.clip(np.rint(-lo / rounded), 0, QMAX)))


def affine_grid(lo: float, hi: float) -> Grid:
    """The grid that spans [lo, hi], widened so that 0.0 is on it (padding and ReLU need an exact zero).

    A range without extent (a constant activation) gets a range of 1.
    """
    lo, hi = min(lo, 0.0), max(hi, 0.0)
    if hi - lo < _SMALLEST_RANGE:
        return grid_at(1 / QMAX, 0.0)
    return grid_at((hi - lo) / QMAX, lo)


def constant_grid(array: NDArray[np.floating]) -> Grid:
    """The grid of a constant operand: one on which every value is exact, where one exists, else `affine_grid`."""
    lo, hi = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
    largest = max(-lo, hi)
    for steps in range(1, QMAX + 1):
        scale = largest / steps
        if largest == 0 or hi - lo > QMAX * scale * (1 + 1e-6):
            continue
        integers = array / scale
        if np.abs(integers - np.rint(integers)).max() < 1e-5 * steps:
            return grid_at(scale, lo)
    return affine_grid(lo, hi)
