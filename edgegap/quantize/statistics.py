"""What the calibration images say about one activation, in constant memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 4096
_SAMPLED = 16384
RANKED = 5
"""Logits of an image that keep their order: those that 'top-5' looks at."""

_LEAST_EXPONENT = -20
"""Of a histogram: a range below 1e-6 gets a grid of its own whatever it holds (see `affine_grid`)."""


class Histogram:
    """Counts of values in equal bins over [-2**exponent, 2**exponent); a value may count any weight.

    The range doubles, and pairs of bins merge, when a value does not fit: one pass over the data is enough.
    """

    def __init__(self) -> None:
        self.exponent: int | None = None
        self.counts: NDArray[np.float64] = np.zeros(_BINS)

    def update(self, values: NDArray[np.float32], weights: NDArray[np.float64] | None = None) -> None:
        """Count finite `values` [n], each `weights` [n] times, or once."""
        largest = max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
        self._reach(max(int(np.frexp(largest)[1]), _LEAST_EXPONENT) if largest else _LEAST_EXPONENT)
        if self.exponent is not None:
            # A power of two: the product is exact in float32, and so is every bin's edge.
            bins = np.floor(values * np.float32(2.0**-self.exponent * (_BINS // 2))).astype(np.int32) + _BINS // 2
            self.counts += np.bincount(np.minimum(bins, _BINS - 1), weights, minlength=_BINS)

    def merge(self, other: Histogram) -> None:
        """Add the counts of `other`."""
        if other.exponent is None:
            return
        self._reach(other.exponent)
        copy = Histogram()
        copy.exponent, copy.counts = other.exponent, other.counts.copy()
        copy._reach(self.exponent if self.exponent is not None else other.exponent)
        self.counts += copy.counts

    def centres(self) -> NDArray[np.float64]:
        """The middle of every bin."""
        unit = (np.arange(_BINS, dtype=np.float64) + 0.5) / (_BINS / 2) - 1
        return unit * np.float64(2.0 ** (self.exponent or 0))

    def _reach(self, exponent: int) -> None:
        if self.exponent is None:
            self.exponent = exponent
        while self.exponent < exponent:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            quarter = np.zeros(_BINS // 4)
            self.counts = np.concatenate([quarter, pairs, quarter])
            self.exponent += 1


@dataclass
class Statistics:
    """Range and distribution of one activation.

    Args:
        lo: the smallest value seen.
        hi: the largest value seen; either is NaN or infinite where a value was.
        histogram: of a regular sample, at most 16,384 values of an image.
        weighted: the same, with each value counting its squared gradient (`margin`); empty where that was not asked.
        peaks: float64 [C], how far each channel reaches from 0; empty where activations were merged.
        floor: of logits: no image's fifth largest is smaller; -inf of any other activation.
        images: how many images were seen.
    """

    lo: float = np.inf
    hi: float = -np.inf
    histogram: Histogram = field(default_factory=Histogram)
    weighted: Histogram = field(default_factory=Histogram)
    peaks: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    floor: float = -np.inf
    images: int = 0

    def update(self, batch: NDArray[np.float32], *, detailed: bool, logits: bool = False) -> None:
        """Take in the activation of a batch.

        Args:
            batch: [n, C, ...].
            detailed: also keep the histogram, which only some recipes need.
            logits: the activation is the network's output: also keep its floor.
        """
        channels = batch.reshape(len(batch), batch.shape[1], -1)
        low, high = channels.min(axis=(0, 2)), channels.max(axis=(0, 2))
        # NumPy's minimum keeps a NaN, where Python's would lose it.
        self.lo, self.hi = float(np.minimum(self.lo, low.min())), float(np.maximum(self.hi, high.max()))
        peaks = np.maximum(high, -low).astype(np.float64)
        self.peaks = np.maximum(self.peaks, peaks) if len(self.peaks) else peaks
        if detailed and np.isfinite(self.hi - self.lo):
            self.histogram.update(self._sample(batch))
        if logits:
            floor = float(np.sort(batch.reshape(len(batch), -1), axis=1)[:, -RANKED:].min())
            self.floor = min(self.floor, floor) if self.images else floor
        self.images += len(batch)

    def update_weighted(self, batch: NDArray[np.float32], weights: NDArray[np.float64]) -> None:
        """Count the values of a batch [n, C, ...] that `update` has seen, each as often as its weight says."""
        self.weighted.update(self._sample(batch), self._sample(weights))

    def merged(self, other: Statistics) -> Statistics:
        """The statistics of both activations together."""
        both = Statistics(min(self.lo, other.lo), max(self.hi, other.hi), images=self.images + other.images)
        both.floor = min(self.floor, other.floor)
        for part in (self, other):
            both.histogram.merge(part.histogram)
            both.weighted.merge(part.weighted)
        return both

    def _sample(self, batch: NDArray[Any]) -> NDArray[Any]:
        # An odd stride visits every channel and column of maps whose sizes are powers of two.
        return batch.reshape(-1)[:: max(1, batch[0].size // _SAMPLED) | 1]
