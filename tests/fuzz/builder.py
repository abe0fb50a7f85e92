"""What the layers of a random network are built with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Map = tuple[str, int, int, int]
"""The name, channels, height and width of a value."""


@dataclass(frozen=True)
class Layer:
    """One layer; `kind` reads the numbers as it needs them.

    Args:
        kind: a name in `KINDS`.
        source: which value it reads, counted back from the newest.
        other: a second one.
        a: a number of a variant.
        b: another.
        c: another.
    """

    kind: str
    source: int = 0
    other: int = 0
    a: int = 0
    b: int = 0
    c: int = 0


class Builder:
    """The nodes and initializers of a network so far, and its values, each with its shape.

    Args:
        image: what the network takes, in batches of `batch`.
        wild: how far the scales of two channels of one weight may lie apart: 2 ** +-wild.
        seed: of the weights.
    """

    def __init__(self, image: Map, batch: int, wild: int, seed: int) -> None:
        self.batch, self._wild = batch, wild
        self.rng = np.random.default_rng((seed, 0))
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.maps = [image]

    def pick(self, back: int) -> Map:
        return self.maps[-1 - back % len(self.maps)]

    def partner(self, layer: Layer, fits: Callable[[Map], bool]) -> Map | None:
        """The value `other` of those that fit."""
        fitting = [value for value in self.maps[::-1] if fits(value)]
        return fitting[layer.other % len(fitting)] if fitting else None

    def constant(self, array: Any) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def op(self, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"{op_type.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=f"{name}_node", **attributes))
        return name

    def per_channel(self, channels: int) -> NDArray[np.float32]:
        """Positive factors."""
        return (2.0 ** self.rng.uniform(-self._wild, self._wild, channels)).astype(np.float32)

    def weight(self, *shape: int) -> NDArray[np.float32]:
        scale = self.per_channel(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
        return (self.rng.normal(size=shape) * scale / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    def bias(self, channels: int) -> NDArray[np.float32]:
        return (self.rng.normal(size=channels) * 0.3 * self.per_channel(channels)).astype(np.float32)

    def convolve(self, x: Map, outputs: int, kernel: tuple[int, int], *, groups: int = 1, **window: Any) -> Map | None:
        """A Conv, or None where its window does not fit."""
        name, channels, height, width = x
        strides, dilations = window.get("strides", (1, 1)), window.get("dilations", (1, 1))
        pads = window.get("pads", (0, 0, 0, 0))
        size = [
            (n + pads[d] + pads[d + 2] - (kernel[d] - 1) * dilations[d] - 1) // strides[d] + 1
            for d, n in enumerate((height, width))
        ]
        if min(size) < 1:
            return None
        inputs = [name, self.constant(self.weight(outputs, channels // groups, *kernel))]
        if window.pop("bias", True):
            inputs.append(self.constant(self.bias(outputs)))
        return self.op("Conv", inputs, kernel_shape=kernel, group=groups, **window), outputs, *size
