"""How far the logits of a quantized network are from those of the float network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegap.errors import ModelError
from edgegap.quantize.statistics import RANKED

_FLOAT_DB = 100
"""Above this lies what float32 arithmetic itself makes of the logits, in another order of its sums."""


@dataclass(frozen=True)
class Cost:
    """What quantization does to the logits.

    Args:
        snr_db: signal to noise, dB; None where there is no noise beyond that of float32 arithmetic.
        changed: images whose first answer is another than in float.
    """

    snr_db: float | None
    changed: int


class Noise:
    """The noise of logits, over any number of batches.

    Only differences between logits decide, and only those among the largest. So signal and noise are measured without
    the mean over classes, and on logits no smaller than the image's fifth largest in float: what lies below counts
    where it rises above that, and not where a grid cuts it off (`ranges`). Both are squared and summed over all images.
    """

    def __init__(self) -> None:
        self._signal = self._noise = 0.0
        self._changed = 0

    def add(self, reference: NDArray[np.floating], logits: NDArray[np.floating]) -> None:
        """Count a batch of logits [n, classes] against those of the float network.

        Raises:
            ModelError: logits that are NaN or infinite.
        """
        if not (np.isfinite(reference).all() and np.isfinite(logits).all()):
            hint = "Check the preprocessing and the weights: a value left the range of float32."
            raise ModelError("the logits are NaN or infinite on the calibration images", hint=hint)
        signal, noise = powers(reference, logits)
        self._signal += float(signal.sum())
        self._noise += float(noise.sum())
        self._changed += int((reference.argmax(1) != logits.argmax(1)).sum())

    def cost(self) -> Cost:
        """Of all batches together."""
        if self._noise <= self._signal * 10 ** (-_FLOAT_DB / 10):
            return Cost(None, self._changed)
        least = float(np.finfo(np.float32).tiny)  # logits that are all equal have no signal: as bad as can be written
        return Cost(10 * math.log10(max(self._signal, least) / self._noise), self._changed)


def powers(
    reference: NDArray[np.floating], logits: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The power of the signal and of the noise of every image, float64 [n] each, as `Noise` sums them.

    Args:
        reference: logits of the float network, [n, classes].
        logits: of the other.
    """
    signal, noisy = reference.astype(np.float64), logits.astype(np.float64)
    if signal.shape[1] > RANKED:
        floor = np.sort(signal, axis=1)[:, -RANKED, None]
        signal, noisy = np.maximum(signal, floor), np.maximum(noisy, floor)
    return _power(signal), _power(noisy - signal)


def _power(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a network with one output, which has no difference, that of the output itself."""
    centred = logits - logits.mean(1, keepdims=True) if logits.shape[1] > 1 else logits
    power: NDArray[np.float64] = np.square(centred).sum(axis=1)
    return power
