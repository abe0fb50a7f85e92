"""Why a layer is noisy, where a measurement says so, and which setting of the recipe addresses it.

Each cause is tied to what was measured on the layer alone, so that settings of the layers before do not enter:

    clipped         half of the noise and more lies where the float value is beyond the grid
    clipped before  an activation that the layer reads is clipped
    shifted         half of the noise and more is one constant per channel, which a bias could absorb
                    (Nagel et al., 'Data-Free Quantization Through Weight Equalization and Bias Correction', 2019)
    wide            99 % of the values lie within a sixth of the grid's range: outliers, or images that are not among
                    these, set it; of a global average, that it has not a range of its own. Whether a narrower range
                    helps is tried: the one of least squared error for these images ('ranges')
    tiny channels   a quarter of the living channels and more stay within a few steps of 0
    ties            two classes share the largest integer of the answer in 1 % of the images and more
    inherited       the layer is clean alone: three quarters of the noise and more come from the layers before
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegap.check.alone import Layer
from edgegap.quantize.parameters import QMAX
from edgegap.quantize.ranges import choose_range
from edgegap.quantize.statistics import Statistics

_CLEAN_DB = 40.0
"""A layer with less noise than this, 1 %, needs no explanation of its own."""

_CLIPPED_REMEDY = 'ranges.method = "minmax", or calibrate on more images (--samples)'

_INHERITED_DB = 6.0
_HALF = 0.5
_WIDE = 6.0
_NARROWER = 0.9
_FEW_STEPS = 8
_TINY_SHARE = 0.25
_TIED_SHARE = 0.01
_BULK = 0.99


@dataclass(frozen=True)
class Cause:
    """One finding.

    Args:
        what: the measurement, in words.
        remedy: the recipe's setting, or the option, that addresses it; None where there is none.
    """

    what: str
    remedy: str | None


class Evidence:
    """What is kept of one layer: sums per channel, a histogram of a sample, counts.

    Args:
        layer: it.
        answers: whether its integers are the network's answer.
    """

    def __init__(self, layer: Layer, *, answers: bool) -> None:
        self.op = "" if layer.node is None else layer.node.op_type
        self.answers = answers
        self.grid = layer.grid
        self.images = self.tied = 0
        self.values = self.clipped = 0
        self.noise = self.clipped_noise = 0.0
        self.error: NDArray[np.float64] | None = None
        self.largest: NDArray[np.float64] | None = None
        self.seen = Statistics()

    def update(self, x: NDArray[np.float64], alone: NDArray[np.float64], integers: NDArray[np.uint8]) -> None:
        """Take in a few images.

        Args:
            x: the float activation [n, C, ...].
            alone: the layer alone in int8, dequantized.
            integers: the artifact's.
        """
        error = alone - x
        beyond = (x < self.grid.lo - self.grid.scale / 2) | (x > self.grid.hi + self.grid.scale / 2)
        rest = (0, *range(2, x.ndim))
        self.values += x.size
        self.clipped += int(beyond.sum())
        squared = error**2
        self.noise += float(squared.sum())
        self.clipped_noise += float(squared.sum(where=beyond))
        self.error = error.sum(axis=rest) + (0 if self.error is None else self.error)
        self.largest = np.maximum(np.abs(x).max(axis=rest), 0 if self.largest is None else self.largest)
        self.seen.update(x.astype(np.float32), detailed=True)
        self.images += len(x)
        if self.answers:
            logits = integers.reshape(len(integers), -1)
            self.tied += int(((logits == logits.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())

    @property
    def shifted_share(self) -> float:
        """The share of the noise that is the mean error of its channel: n mean(e)^2 of sum e^2."""
        if self.error is None or not self.noise:
            return 0.0
        per_channel = self.values / len(self.error)
        return float((self.error**2).sum() / per_channel / self.noise)

    @property
    def bulk(self) -> float:
        """What 99 % of the magnitudes do not exceed, within 1/2048 of the largest."""
        magnitudes = np.abs(self.seen.histogram.centres())
        order = np.argsort(magnitudes)
        counts = np.cumsum(self.seen.histogram.counts[order])
        return float(magnitudes[order][np.searchsorted(counts, _BULK * counts[-1])])

    @property
    def reach(self) -> float:
        """The largest magnitude on the grid."""
        return max(-self.grid.lo, self.grid.hi)


def find_cause(
    evidence: Evidence, accumulated_db: float, local_db: float, clipped_inputs: Sequence[str] = ()
) -> Cause | None:
    """The first of the causes above that was measured, or None.

    Args:
        evidence: of the layer.
        accumulated_db: its signal-to-quantization-noise ratio in the whole network.
        local_db: likewise, alone.
        clipped_inputs: the layers that it reads and that are clipped themselves, by name.
    """
    if local_db < _CLEAN_DB:
        cause = clipped(evidence)
        if cause is None and clipped_inputs:
            cause = Cause(f"it reads '{clipped_inputs[0]}', which is clipped", _CLIPPED_REMEDY)
        cause = cause or _shifted(evidence) or _wide(evidence) or _tiny(evidence)
        if cause is not None:
            return cause
    if _ties(evidence) is not None:
        return _ties(evidence)
    if local_db - accumulated_db >= _INHERITED_DB:
        return Cause(f"noise from the layers before: alone it has {local_db:.0f} dB", None)
    return None


def clipped(seen: Evidence) -> Cause | None:
    """Whether most of a layer's noise is clipping."""
    if not seen.noise or seen.clipped_noise < _HALF * seen.noise:
        return None
    share = 100 * seen.clipped_noise / seen.noise
    what = f"{100 * seen.clipped / seen.values:.2g} % of the values are clipped, which makes {share:.0f} % of the noise"
    return Cause(what, _CLIPPED_REMEDY)


def _shifted(seen: Evidence) -> Cause | None:
    if seen.shifted_share < _HALF:
        return None
    what = f"{100 * seen.shifted_share:.0f} % of the noise is a constant per channel"
    return Cause(what, "weights.bias_correction = true")


def _wide(seen: Evidence) -> Cause | None:
    if seen.bulk * _WIDE > seen.reach:
        return None
    inner = f"99 % of the values use {100 * seen.bulk / seen.reach:.2g} % of it"
    if seen.op == "GlobalAveragePool":
        return Cause(f"averaging shrinks the range, and the grid does not follow: {inner}", None)
    if max(-seen.seen.lo, seen.seen.hi) * 2 < seen.reach:
        return Cause(f"calibration saw a larger range: {inner}", "calibrate on images like these (--calib)")
    lo, hi = choose_range(seen.seen, "mse")
    if hi - lo < _NARROWER * (seen.grid.hi - seen.grid.lo):
        return Cause(f"outliers set the range: {inner}", 'ranges.method = "mse"')
    return Cause(f"outliers set the range: {inner}, and clipping more would cost more", None)


def _tiny(seen: Evidence) -> Cause | None:
    if seen.largest is None:
        return None
    alive = seen.largest > 0
    tiny = alive & (seen.largest < _FEW_STEPS * seen.grid.scale)
    if tiny.sum() < _TINY_SHARE * alive.sum() or not tiny.any():
        return None
    what = f"{tiny.sum()} of {alive.sum()} channels stay within {_FEW_STEPS} of the grid's {QMAX} steps"
    return Cause(what, None)


def _ties(seen: Evidence) -> Cause | None:
    if not seen.answers or seen.tied < _TIED_SHARE * seen.images or not seen.tied:
        return None
    what = f"coarse logits: in {seen.tied} of {seen.images} images two classes share the largest integer"
    return Cause(what, None)
