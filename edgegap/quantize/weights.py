"""Integer weights and biases of one linear layer.

Weights: per-channel symmetric int8, scale = max |w| / 127 (Krishnamoorthi, 'Quantizing deep convolutional networks for
efficient inference', 2018, section 3.1). Biases: int32 at scale s_x * s_w, as the accumulator has (Jacob et al., 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgegap.quantize.parameters import WMAX, Grid

_BIAS_LIMIT = 2.0**30
_LEAST_SHARE = 2.0**-20


@dataclass(frozen=True)
class LinearParameters:
    """What a Conv or Gemm carries in int8.

    Args:
        weight: int8, of the shape of the float weight [O, ...].
        weight_scale: float32 [O].
        bias: int32 [O].
        bias_scale: float32 [O], input scale * weight scale.
        dead: channels whose float weights are all zero.
    """

    weight: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]
    bias_scale: NDArray[np.float32]
    dead: int


def quantize_linear(
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    grid: Grid,
    *,
    input_mean: NDArray[np.float64] | None,
    groups: int = 1,
) -> LinearParameters:
    """Quantize the weights [O, I / groups, ...] and bias [O] of a layer whose input lies on `grid`.

    A channel's scale grows where its bias would not fit int32 otherwise, and where it is so small next to the layer's
    largest that the requantization factor would leave the range that XNNPACK takes.

    Args:
        weight: float32.
        bias: float32.
        grid: of the input.
        input_mean: float64 [I], the mean of each input channel: the bias then absorbs the mean of the error that
            rounding the weights makes, b += sum (W - Wq) mean(x). Nagel et al., 'Data-Free Quantization Through Weight
            Equalization and Bias Correction', 2019, section 4.2; only the weights' error, because correcting towards
            the float output would undo deliberate clipping. None leaves the bias alone.
        groups: of a grouped convolution.
    """
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    largest = np.abs(flat).max(axis=1)
    dead = largest == 0
    scale = largest / WMAX
    top = scale.max() if scale.max() > 0 else 1 / WMAX
    scale = np.maximum(np.where(dead, top, scale), top * _LEAST_SHARE)
    scale = np.maximum(scale, np.abs(bias.astype(np.float64)) / (grid.scale * _BIAS_LIMIT)).astype(np.float32)
    integers = np.clip(np.rint(flat / scale[:, None].astype(np.float64)), -WMAX, WMAX)
    total = bias.astype(np.float64)
    if input_mean is not None:
        error = (
            (flat - integers * scale[:, None].astype(np.float64)).reshape(len(flat), weight.shape[1], -1).sum(axis=2)
        )
        per_group = np.repeat(input_mean.reshape(groups, -1), len(flat) // groups, axis=0)
        total = total + (error * per_group).sum(axis=1)
    bias_scale = np.float32(grid.scale) * scale
    return LinearParameters(
        integers.astype(np.int8).reshape(weight.shape),
        scale,
        np.rint(total / bias_scale.astype(np.float64)).astype(np.int32),
        bias_scale,
        int(dead.sum()),
    )
