"""From statistics to the range that a grid spans.

minmax  everything that was seen.
mse     the clipped range with the least mean squared error of quantization over the histogram
        (Banner et al., 'Post training 4-bit quantization of convolutional networks for rapid-deployment', 2019;
        here by search over clipping factors instead of a closed form).
margin  the same, but each squared error counts as often as it moves the margin (see `margin`). An activation that never
        does has the range of `mse`.
The logits have a range of their own with both of the latter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgegap.quantize.parameters import QMAX, affine_grid
from edgegap.quantize.recipe import RangeMethod
from edgegap.quantize.statistics import Histogram, Statistics

_FACTORS = np.linspace(0.3, 1.0, 71)


def choose_range(statistics: Statistics, method: RangeMethod) -> tuple[float, float]:
    """The range [lo, hi] of one activation, 0.0 within it."""
    lo, hi = min(statistics.lo, 0.0), max(statistics.hi, 0.0)
    if method == "minmax" or hi - lo <= 0:
        return lo, hi
    weighted = method == "margin" and statistics.weighted.counts.any()
    return _least_squares(statistics.weighted if weighted else statistics.histogram, lo, hi)


def logit_range(statistics: Statistics) -> tuple[float, float]:
    """The range [lo, hi] of the logits: from the least that is among an image's five largest to the largest of all.

    The largest logit decides, so none is clipped from above. Those far below it decide nothing: without them the step
    is finer, and fewer images have two largest logits that round to the same integer.
    """
    lo, hi = choose_range(statistics, "minmax")
    return min(max(lo, statistics.floor), 0.0), hi


def _least_squares(histogram: Histogram, lo: float, hi: float) -> tuple[float, float]:
    """First clip both ends by one factor, then each end by its own: a descent over three lines of 71 candidates."""
    present = histogram.counts > 0
    values, counts = histogram.centres()[present], histogram.counts[present]

    def best(candidates: list[tuple[float, float]]) -> tuple[float, float]:
        return min(candidates, key=lambda span: _error(values, counts, *span))

    span = best([(lo * f, hi * f) for f in _FACTORS[::-1]])
    if lo < 0 < hi:
        span = best([span, *((span[0], hi * f) for f in _FACTORS)])
        span = best([span, *((lo * f, span[1]) for f in _FACTORS)])
    return span


def _error(values: NDArray[np.float64], counts: NDArray[np.float64], lo: float, hi: float) -> float:
    grid = affine_grid(lo, hi)
    integers = np.clip(np.rint(values / grid.scale) + grid.zero_point, 0, QMAX)
    return float(counts @ ((integers - grid.zero_point) * grid.scale - values) ** 2)
