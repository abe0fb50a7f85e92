"""Class confidence maps, float and int8: where in the image the network sees a class.

gap         the input of the global average: one map per class, whose mean is the class's score
            (Lin, Chen & Yan, 'Network In Network', 2013)
gap-linear  class activation maps: the features in front of the average, weighted by the linear layer's weights of the
            class; their mean and the bias are the class's score
            (Zhou et al., 'Learning Deep Features for Discriminative Localization', 2016)

The int8 map comes from the artifact's own integers and weights, the network in front of it all in int8.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.alone import dequantized_constant
from edgegap.check.images import ImageSet
from edgegap.check.predict import OutputGrid
from edgegap.check.taps import stream, stream_floats
from edgegap.errors import InternalError
from edgegap.graph.nodes import constant, operand, shape_of
from edgegap.progress import Progress
from edgegap.quantize.parameters import Grid
from edgegap.quantize.verify import grid_of

HEADS = ("gap", "gap-linear")
"""The heads that make a map per class."""

IMAGES = 200
"""Images that maps are compared on, unless a caller takes others."""

WORST = 8
"""Images that are named as those whose maps moved most."""

_TOP = 0.2
_CONSTANT = 1e-6


@dataclass(frozen=True)
class NoMaps:
    """Why a network has no class confidence maps.

    Args:
        why: a sentence.
    """

    why: str


@dataclass(frozen=True, eq=False)
class FloatMaps:
    """The maps of the class that the float network answers, for some images.

    Args:
        classes: int64 [n], that class.
        float_maps: float32 [n, H, W].
        float_logits: float64 [n, classes].
    """

    classes: NDArray[np.int64]
    float_maps: NDArray[np.float32]
    float_logits: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassMaps(FloatMaps):
    """And those of the int8 artifact beside them.

    Args:
        int8_maps: float32 [n, H, W], dequantized.
        int8_logits: float64 [n, classes], likewise.
    """

    int8_maps: NDArray[np.float32]
    int8_logits: NDArray[np.float64]


@dataclass(frozen=True)
class Moved:
    """How far the map of one image moved.

    Args:
        image: its name.
        class_name: the float network's answer, by name or number.
        pearson: see `similarity`.
        iou: likewise.
    """

    image: str
    class_name: str
    pearson: float
    iou: float

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"image": self.image, "class": self.class_name, "pearson": self.pearson, "iou": self.iou}


@dataclass(frozen=True)
class MapSimilarity:
    """How alike the maps are, over some images.

    Args:
        n: how many images.
        pearson: mean over the images.
        iou: likewise.
        moved: every image, the one with the least correlation first.
    """

    n: int
    pearson: float
    iou: float
    moved: tuple[Moved, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it: only the images whose maps moved most are named."""
        moved = [image.to_json() for image in self.moved[:WORST]]
        return {"n": self.n, "pearson": self.pearson, "iou": self.iou, "moved": moved}


def no_maps(network: Path, head: str) -> NoMaps | None:
    """Why a network has no class maps, or None where it has some.

    Args:
        network: the float .onnx file.
        head: from the bundle's manifest.
    """
    if head not in HEADS:
        ending = "a fully connected layer without a global average" if head == "fc" else "no global average"
        return NoMaps(f"the network ends in {ending} (head '{head}'), so that it makes no map per class")
    if shape_of(_averaged(ir.load(network)))[2:] == (1, 1):
        return NoMaps("the class maps are 1x1: there is nothing left to average, and no place to point at")
    return None


def class_maps(
    network: Path,
    artifact: Path,
    head: str,
    images: ImageSet,
    input_grid: Grid | None,
    output_grid: OutputGrid,
    progress: Progress,
) -> ClassMaps:
    """The class maps of every image, of the class that the float network answers; memory holds one map an image.

    `no_maps` says beforehand whether there are any.

    Args:
        network: the float .onnx file.
        artifact: the int8 .onnx file made from it.
        head: one of `HEADS`.
        images: to look at.
        input_grid: of the integers that the artifact takes; None where it takes floats.
        output_grid: of those behind its output.
        progress: told how far it is.

    Raises:
        DataError: NaN or infinity in the float network.
        RuntimeFailure: a runtime that cannot run one of them.
    """
    reference, int8 = ir.load(network), ir.load(artifact)
    features, integers = _averaged(reference), _averaged(int8)
    grid = grid_of(integers)
    if grid is None and integers.dtype != ir.DataType.FLOAT:  # float: the head stays in it
        raise InternalError("has no grid", where=str(integers.name))
    linear = head == "gap-linear"
    float_weights = _float_weights(reference) if linear else None
    int8_weights = _int8_weights(int8) if linear else None
    found = []
    names = (str(features.name), str(reference.graph.outputs[0].name), str(integers.name))
    for taps in stream(reference, names[:2], artifact, names[2:], images, input_grid, progress):
        logits = taps.floats[names[1]].reshape(len(taps.outputs), -1).astype(np.float64)
        answers = logits.argmax(axis=1)
        tapped = taps.integers[names[2]]
        quantized = tapped if grid is None else grid.dequantize(tapped).astype(np.float32)
        answered = output_grid.integers(taps.outputs.reshape(len(logits), -1))
        found.append(
            (
                answers,
                _maps(taps.floats[names[0]], float_weights, answers),
                logits,
                _maps(quantized, int8_weights, answers),
                output_grid.real(answered),
            )
        )
    return ClassMaps(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def float_maps(network: Path, head: str, images: ImageSet, progress: Progress) -> FloatMaps:
    """The class maps of a float network alone, as `class_maps` otherwise.

    Args:
        network: the float .onnx file.
        head: one of `HEADS`.
        images: to look at.
        progress: told how far it is.

    Raises:
        DataError: NaN or infinity in the network.
    """
    reference = ir.load(network)
    weights = _float_weights(reference) if head == "gap-linear" else None
    features, output = str(_averaged(reference).name), str(reference.graph.outputs[0].name)
    found = []
    for taps in stream_floats(reference, (features, output), images, progress):
        logits = taps[output].reshape(len(taps[output]), -1).astype(np.float64)
        answers = logits.argmax(axis=1)
        found.append((answers, _maps(taps[features], weights, answers), logits))
    return FloatMaps(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def similarity(a: NDArray[np.floating], b: NDArray[np.floating]) -> tuple[float, float]:
    """Pearson correlation of two maps [H, W], and the intersection over union of their top 20 % of positions.

    The top holds every position whose value is among the largest 20 % and above the map's least, ties included: int8
    maps have many. A constant map has no variance and no top: two of them are alike (1, 1), one of them is unlike
    anything (0, 0).
    """
    constants = _is_constant(a), _is_constant(b)
    if any(constants):
        return (1.0, 1.0) if all(constants) else (0.0, 0.0)
    pearson = float(np.corrcoef(a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64))[0, 1])
    tops = _top(a), _top(b)
    return pearson, float((tops[0] & tops[1]).sum() / (tops[0] | tops[1]).sum())


def compare_maps(maps: ClassMaps, names: tuple[str, ...], classes: tuple[str, ...] | None) -> MapSimilarity:
    """Float against int8 maps, image by image.

    Args:
        maps: from `class_maps`.
        names: of the images.
        classes: their names, in the order of the outputs; None where nobody gave any.
    """
    pairs = zip(maps.float_maps, maps.int8_maps, strict=True)
    scores = np.array([similarity(a, b) for a, b in pairs])
    moved = [
        Moved(names[k], class_name(int(maps.classes[k]), classes), float(scores[k, 0]), float(scores[k, 1]))
        for k in np.argsort(scores[:, 0], kind="stable")
    ]
    return MapSimilarity(len(scores), float(scores[:, 0].mean()), float(scores[:, 1].mean()), tuple(moved))


def class_name(index: int, classes: tuple[str, ...] | None) -> str:
    """The name of a class, or 'class 7'."""
    return f"class {index}" if classes is None else classes[index]


def _averaged(model: ir.Model) -> ir.Value:
    """What the global average of the head reads: a float activation, or in a QDQ model its integers."""
    node = model.graph.outputs[0].producer()
    while node is not None and node.op_type != "GlobalAveragePool":
        node = operand(node).producer()
    if node is None:
        raise InternalError("has no global average in its head", where=model.graph.name)
    x = operand(node)
    dequantize = x.producer()
    return operand(dequantize) if dequantize is not None and dequantize.op_type == "DequantizeLinear" else x


def _linear(model: ir.Model) -> ir.Node:
    """The linear layer nearest to the output."""
    node = model.graph.outputs[0].producer()
    while node is not None and node.op_type not in ("Gemm", "Conv"):
        node = operand(node).producer()
    if node is None:
        raise InternalError("has no linear layer in its head", where=model.graph.name)
    return node


def _float_weights(model: ir.Model) -> NDArray[np.float32]:
    weight = constant(_linear(model).inputs[1])
    if weight is None:
        raise InternalError("its weight is not a constant", where=model.graph.name)
    return weight.reshape(len(weight), -1)


def _int8_weights(model: ir.Model) -> NDArray[np.float32]:
    dequantize = operand(_linear(model), 1).producer()
    if dequantize is None:  # a head that stays in float
        return _float_weights(model)
    weight = dequantized_constant(dequantize)
    return weight.reshape(len(weight), -1)


def _maps(
    features: NDArray[np.float32], weights: NDArray[np.float32] | None, classes: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The maps [n, H, W] of one class an image, from features [n, C, H, W] and weights [classes, C]."""
    if weights is None:
        return features[np.arange(len(features)), classes]
    maps: NDArray[np.float32] = np.einsum("nchw,nc->nhw", features, weights[classes])
    return maps


def _is_constant(x: NDArray[np.floating]) -> bool:
    """Whether a map varies by no more than float32 noise."""
    return bool(x.max() - x.min() <= _CONSTANT * np.abs(x).max())


def _top(x: NDArray[np.floating]) -> NDArray[np.bool_]:
    k = max(1, round(_TOP * x.size))
    least = np.partition(x.reshape(-1), x.size - k)[x.size - k]
    top: NDArray[np.bool_] = (x >= least) & (x > x.min())
    return top
