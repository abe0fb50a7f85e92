"""How much noise int8 adds to every layer, on its own and with all the layers before it.

The signal-to-quantization-noise ratio is 10 log10(sum x^2 / sum (x - xq)^2) dB, over all images, channels and
positions, and not centred: the mean of an activation counts as signal. The cosine similarity is
sum x xq / sqrt(sum x^2 sum xq^2). x is the float network's activation; xq is

    accumulated  the artifact's own integers, dequantized, the whole network in int8
    local        the layer alone in int8 behind float activations (`alone`)

6 dB are a factor of 2 in error, about one bit.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.alone import Layer, layers_alone, layers_of
from edgegap.check.causes import Evidence, clipped, find_cause
from edgegap.check.images import ImageSet
from edgegap.check.taps import stream
from edgegap.errors import InputError
from edgegap.graph.nodes import module_path
from edgegap.progress import Progress
from edgegap.quantize.floats import float_nodes
from edgegap.quantize.parameters import Grid

SUBSET = 64
"""Images that layers are looked at with, unless a caller takes others."""

MOST_DB = 150.0
"""Where float32's own noise lies (2^-24 is -144 dB): stands for no error at all, and -150 for nothing but error."""


@dataclass(frozen=True)
class LayerRow:
    """One quantized layer.

    Args:
        name: of the activation, in the float network.
        op: that computes it in the artifact.
        module: path of the torch module that it came from, or ''.
        local_sqnr_db: of this layer alone in int8.
        local_cosine: likewise.
        sqnr_db: of the whole network in int8, up to here.
        cosine: likewise.
        cause: of the noise, where one was measured.
        remedy: the recipe's setting that addresses it, where there is one.
    """

    name: str
    op: str
    module: str
    local_sqnr_db: float
    local_cosine: float
    sqnr_db: float
    cosine: float
    cause: str | None
    remedy: str | None


@dataclass(frozen=True)
class Layers:
    """Every quantized layer.

    Args:
        n: images that it was measured on.
        rows: those with the most accumulated noise first.
    """

    n: int
    rows: tuple[LayerRow, ...]


@dataclass
class Similarity:
    """Sums over activations x and their int8 form y, in float64."""

    signal: float = 0.0
    other: float = 0.0
    cross: float = 0.0
    noise: float = 0.0

    def update(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Take in two arrays of one shape."""
        self.signal += _dot(x, x)
        self.other += _dot(y, y)
        self.cross += _dot(x, y)
        difference = x - y
        self.noise += _dot(difference, difference)

    @property
    def sqnr_db(self) -> float:
        """Signal-to-quantization-noise ratio in dB, within -150 and 150."""
        if self.noise == 0:
            return MOST_DB
        if self.signal == 0:
            return -MOST_DB
        return float(np.clip(10 * np.log10(self.signal / self.noise), -MOST_DB, MOST_DB))

    @property
    def cosine(self) -> float:
        """Cosine similarity; of two that are zero everywhere 1, of one 0."""
        if self.signal == 0 or self.other == 0:
            return float(self.signal == self.other)
        return min(1.0, self.cross / float(np.sqrt(self.signal) * np.sqrt(self.other)))


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    # Not `@`: the threads of a BLAS cost more than they give on arrays like these, and far more on a busy machine.
    return float(np.einsum("i,i->", a.reshape(-1), b.reshape(-1)))


@dataclass
class _Measured:
    """What is summed up of one layer."""

    layer: Layer
    evidence: Evidence
    accumulated: Similarity = field(default_factory=Similarity)
    local: Similarity = field(default_factory=Similarity)

    def update(self, x: NDArray[np.float32], alone: NDArray[np.float32], integers: NDArray[np.uint8]) -> None:
        real, whole = x.astype(np.float64), alone.astype(np.float64)
        self.accumulated.update(real, self.layer.grid.dequantize(integers))
        self.local.update(real, whole)
        self.evidence.update(real, whole, integers)

    def row(self, clipping: Container[str]) -> LayerRow:
        node = self.layer.node
        inputs = [name for name in self.layer.reads if name in clipping]
        cause = find_cause(self.evidence, self.accumulated.sqnr_db, self.local.sqnr_db, inputs)
        return LayerRow(
            self.layer.name,
            "QuantizeLinear" if node is None else node.op_type,
            "" if node is None else module_path(node),
            self.local.sqnr_db,
            self.local.cosine,
            self.accumulated.sqnr_db,
            self.accumulated.cosine,
            cause.what if cause else None,
            cause.remedy if cause else None,
        )


def compare_layers(
    network: Path, artifact: Path, images: ImageSet, input_grid: Grid | None, progress: Progress
) -> Layers:
    """Measure the noise of every quantized layer whose activation the float network has under the same name.

    Args:
        network: the float .onnx file.
        artifact: the int8 .onnx file made from it.
        images: to measure on: a subset; memory does not grow with it.
        input_grid: of the integers that the artifact takes; None where it takes floats.
        progress: told how far it is.

    Raises:
        InputError: the two files have no activation in common.
        DataError: NaN or infinity in the float network.
        RuntimeFailure: a runtime that cannot run one of them.
    """
    reference, int8 = ir.load(network), ir.load(artifact)
    layers = layers_of(int8, reference)
    if not layers:
        hint = "Give the two files of one bundle."
        raise InputError(f"has no activation in common with {network.name}", where=str(artifact), hint=hint)
    extended, alone = layers_alone(reference, int8, layers)
    last = _last_quantizer(int8)
    measured = [_Measured(layer, Evidence(layer, answers=layer.integers == last)) for layer in layers]
    floats = [name for layer in layers for name in (layer.name, alone[layer.name])]
    integers = [layer.integers for layer in layers]
    for taps in stream(extended, floats, artifact, integers, images, input_grid, progress):
        for each in measured:
            layer = each.layer
            each.update(taps.floats[layer.name], taps.floats[alone[layer.name]], taps.integers[layer.integers])
    clipping = {each.layer.name for each in measured if clipped(each.evidence) is not None}
    rows = sorted((each.row(clipping) for each in measured), key=lambda row: row.sqnr_db)
    return Layers(len(images), tuple(rows))


def _last_quantizer(int8: ir.Model) -> str:
    """The integers that the artifact's answer is read from, by name; the output where a layer in float computes it."""
    value = int8.graph.outputs[0]
    if value.producer() in float_nodes(int8):
        return str(value.name)
    while (node := value.producer()) is not None and node.op_type != "QuantizeLinear":
        value = node.inputs[0] or value
    return str(value.name)
