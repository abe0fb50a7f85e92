"""Integer weights and biases of one linear layer.

Weights: per-channel symmetric int8, scale = max |w| / 127 (Krishnamoorthi, 'Quantizing deep convolutional networks for
efficient inference', 2018, section 3.1). Biases: int32 at scale s_x * s_w, as the accumulator has (Jacob et al., 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgegap.quantize.moments import Moments
from edgegap.quantize.parameters import WMAX, Grid
from edgegap.quantize.rounding import compensated

_BIAS_LIMIT = 2.0**30
_LEAST_SHARE = 2.0**-20
_SMALLEST_WEIGHT = 1e-30
"""A scale for smaller weights would not be a normal float32."""


@dataclass(frozen=True)
class LinearParameters:
    """What a Conv or Gemm carries in int8.

    Args:
        weight: int8, of the shape of the float weight [O, ...].
        weight_scale: float32 [O].
        bias: int32 [O].
        bias_scale: float32 [O], input scale * weight scale.
        dead: channels whose float weights are all zero, or as good as that.
    """

    weight: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]
    bias_scale: NDArray[np.float32]
    dead: int

    @property
    def real_weight(self) -> NDArray[np.float32]:
        """What the weights stand for, float32 [O, ...]."""
        return self.weight * self.weight_scale.reshape(-1, *[1] * (self.weight.ndim - 1))

    @property
    def real_bias(self) -> NDArray[np.float32]:
        """What the biases stand for, float32 [O]."""
        real: NDArray[np.float32] = (self.bias * self.bias_scale.astype(np.float64)).astype(np.float32)
        return real


def quantize_linear(weight: NDArray[np.float32], bias: NDArray[np.float32], grid: Grid) -> LinearParameters:
    """Quantize the weights [O, I / groups, ...] and bias [O] of a layer whose input lies on `grid`, to the nearest.

    A channel's scale grows where its bias would not fit int32 otherwise, and where it is so small next to the layer's
    largest that the requantization factor would leave the range that XNNPACK takes.

    Args:
        weight: float32.
        bias: float32.
        grid: of the input.
    """
    flat = weight.reshape(len(weight), -1)
    largest = np.maximum(flat.max(axis=1), -flat.min(axis=1)).astype(np.float64)
    dead = largest < _SMALLEST_WEIGHT
    scale = np.where(dead, 0, largest / WMAX)
    top = scale.max() if scale.max() > 0 else 1 / WMAX
    scale = np.maximum(np.where(dead, top, scale), top * _LEAST_SHARE)
    scale = np.maximum(scale, np.abs(bias.astype(np.float64)) / (grid.scale * _BIAS_LIMIT)).astype(np.float32)
    integers = np.empty(flat.shape, np.int8)
    for row, step, rounded in zip(flat, scale.astype(np.float64), integers, strict=True):  # all at once: 24 bytes each
        rounded[:] = np.clip(np.rint(row.astype(np.float64) / step), -WMAX, WMAX)
    bias_scale = np.float32(grid.scale) * scale
    return LinearParameters(
        integers.reshape(weight.shape),
        scale,
        np.rint(bias.astype(np.float64) / bias_scale.astype(np.float64)).astype(np.int32),
        bias_scale,
        int(dead.sum()),
    )


def compensate(
    nearest: LinearParameters, weight: NDArray[np.float32], bias: NDArray[np.float32], seen: Moments
) -> LinearParameters:
    """`nearest` with its integers chosen for what the layer reads.

    The weights are those of least mean squared error of the layer's output around its mean (`rounding`), where second
    moments were collected. The bias absorbs the mean of the error, b += (W - Wq) E[x] over patches x of the quantized
    input: Nagel et al., 'Data-Free Quantization Through Weight Equalization and Bias Correction', 2019, section 4.2.
    Only the weights' error: correcting towards the float output would undo deliberate clipping.

    Args:
        nearest: of the layer, by `quantize_linear`.
        weight: float32 [O, ...].
        bias: float32 [O].
        seen: the moments of the layer's quantized input.
    """
    scale, groups = nearest.weight_scale.astype(np.float64), len(seen.mean)
    steps = (weight.reshape(len(weight), -1) / scale[:, None]).reshape(groups, len(weight) // groups, -1)
    if not seen.second:
        integers = nearest.weight.astype(np.float64).reshape(steps.shape)
    else:
        integers = compensated(steps, seen.covariance(), WMAX)
    error = ((steps - integers) @ seen.mean[:, :, None]).reshape(-1) * scale
    bias_scale = nearest.bias_scale.astype(np.float64)
    return replace(
        nearest,
        weight=integers.astype(np.int8).reshape(weight.shape),
        bias=np.rint((bias + error) / bias_scale).astype(np.int32),
    )
