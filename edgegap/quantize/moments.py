"""First and second moments of what linear layers read in the quantized network, in constant memory.

A linear layer multiplies its weights [O, D] with patches of its input, D = C / groups * kh * kw values each. What its
rounded weights do on average follows from the patches' mean, and by how much in the mean square from their second
moments (`rounding`). The patches are those of the quantized network itself: the QDQ model so far, computed in float.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnx_ir as ir
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edgegap.graph.nodes import attribute, operand, shape_of
from edgegap.ort import session
from edgegap.quantize.observer import tapped

POSITIONS = 64
"""Patches per image that count: neighbours say almost the same."""

MEMORY = 2**29
"""Bytes of second moments at a time: with more layers than fit, the images are run again for the rest."""

_SHIFT = 7919
"""A prime: its multiples visit every remainder of any smaller step."""

_PENDING = 2**22
"""Bytes of patches that are multiplied at once: a product of few patches costs more to add than to compute."""


class Moments:
    """Of the patches of one linear layer, group by group.

    Args:
        groups: G.
        size: D.
        second: whether to collect second moments, which take G D^2 numbers.
    """

    def __init__(self, groups: int, size: int, *, second: bool) -> None:
        self.second = second
        self._count = 0
        # Patches count relative to the first: what never varies then has a variance of 0, not one of rounding errors.
        self._origin: NDArray[np.float32] | None = None
        self._total = np.zeros((groups, size))
        self._products = np.zeros((groups, size, size) if second else 0)
        self._pending: list[NDArray[np.float32]] = []

    def update(self, patches: NDArray[np.float32]) -> None:
        """Take in patches [G, n, D]."""
        self._count += patches.shape[1]
        if self._origin is None:
            self._origin = patches[:, :1].copy()
        patches = patches - self._origin
        self._total += patches.sum(axis=1, dtype=np.float64)
        if self.second:
            self._pending.append(patches)
            if sum(part.nbytes for part in self._pending) >= _PENDING:
                self._multiply()

    @property
    def mean(self) -> NDArray[np.float64]:
        """[G, D]."""
        origin = 0.0 if self._origin is None else self._origin[:, 0].astype(np.float64)
        return origin + self._total / self._count

    def covariance(self) -> NDArray[np.float64]:
        """[G, D, D], the centred second moments: the bias takes up what the mean does."""
        self._multiply()
        mean = self._total / self._count
        return self._products / self._count - mean[:, :, None] * mean[:, None, :]

    def _multiply(self) -> None:
        if self._pending:
            patches = np.concatenate(self._pending, axis=1)
            self._products += patches.transpose(0, 2, 1) @ patches
            self._pending.clear()


def collect_moments(
    written: ir.Model, layers: Sequence[ir.Node], batches: Iterable[NDArray[np.float32]], *, second: bool
) -> list[Moments]:
    """Moments of the inputs of linear layers, in their order.

    Args:
        written: a QDQ model that takes floats; only read.
        layers: Conv and Gemm nodes of it.
        batches: calibration images, float32 [n, C, H, W]; iterated once.
        second: also collect second moments.
    """
    taps = [str(operand(node).name) for node in layers]
    names = sorted(set(taps))
    runner = session(tapped(written, names), fused=False)
    source = str(written.graph.inputs[0].name)
    moments = [Moments(*_sizes(node), second=second) for node in layers]
    number = 0
    for batch in batches:
        for image in batch:
            arrays = dict(zip(names, runner.run(names, {source: image[None]}), strict=True))
            for node, tap, collected in zip(layers, taps, moments, strict=True):
                collected.update(patches_of(node, arrays[tap], number))
            number += 1
    return moments


def portions(layers: Sequence[ir.Node], *, second: bool) -> list[list[ir.Node]]:
    """Layers in their order, in as few portions as possible whose moments fit the memory that they may take."""
    found: list[list[ir.Node]] = []
    left = 0
    for node in layers:
        groups, size = _sizes(node)
        needed = 8 * groups * size * (size if second else 1)
        if not found or needed > left:
            found.append([])
            left = MEMORY
        found[-1].append(node)
        left -= needed
    return found


def _sizes(node: ir.Node) -> tuple[int, int]:
    return int(attribute(node, "group", 1)), int(np.prod(shape_of(operand(node, 1))[1:]))


def patches_of(node: ir.Node, x: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """At most `POSITIONS` of the patches of one image that a linear layer multiplies with its weights.

    Args:
        node: a Conv or Gemm.
        x: its input for one image, [1, C, H, W] or [1, C].
        number: of the image: it moves the positions, which are evenly spread, so that all of them have their turn.

    Returns:
        float32 [G, n, D], D in the order of the weight's axes.
    """
    if node.op_type == "Gemm":
        return x[None]
    kernel, strides = attribute(node, "kernel_shape"), attribute(node, "strides")
    dilations, groups = attribute(node, "dilations"), int(attribute(node, "group"))
    top, left, bottom, right = attribute(node, "pads")
    padded = np.pad(x[0], ((0, 0), (top, bottom), (left, right)))
    extent = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    windows = sliding_window_view(padded, extent, axis=(1, 2))
    windows = windows[:, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]
    _, height, width = windows.shape[:3]
    step = -(-height * width // POSITIONS)
    at = np.arange(number * _SHIFT % step, height * width, step)
    taken = windows[:, at // width, at % width]  # [C, n, kh, kw]
    grouped = taken.reshape(groups, -1, len(at), kernel[0] * kernel[1])
    return np.ascontiguousarray(grouped.transpose(0, 2, 1, 3)).reshape(groups, len(at), -1)
