"""Activations of the float network and of the int8 artifact side by side, a few images at a time.

The artifact's integers come from a copy of the file in which they are outputs too, run where artifacts run: in the
runner. What the copy answers must be what the artifact answers, or its activations would say nothing about it. The
float network runs in this process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.images import MAKE_ROOM, ImageSet
from edgegap.check.predict import Prediction, predict
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import DataError, InternalError
from edgegap.graph.nodes import shape_of
from edgegap.ort import session
from edgegap.progress import Progress, silent
from edgegap.quantize.parameters import Grid
from edgegap.quantize.signed import unsigned

_MEMORY = 1 << 27
"""Bytes of activations held at a time, of the artifact and of the float network each."""


@dataclass(frozen=True)
class Taps:
    """The activations of a few images.

    Args:
        start: the first of them.
        floats: of the float network, by name: float32 [n, ...].
        integers: of the artifact, by name, on the uint8 grid: uint8 [n, ...]; float32 where a layer stays in float.
        outputs: of the artifact, [n, ...] in its type.
    """

    start: int
    floats: dict[str, NDArray[np.float32]]
    integers: dict[str, NDArray[Any]]
    outputs: NDArray[Any]


def integer_nodes(model: ir.Model) -> dict[str, ir.Node]:
    """The node behind each integer activation of a QDQ model that is not its output, by the activation's name."""
    outputs = {value.name for value in model.graph.outputs}
    return {
        str(value.name): node
        for node in model.graph
        for value in node.outputs
        if value.dtype in (ir.DataType.UINT8, ir.DataType.INT8) and value.name not in outputs
    }


def save_tapped(model: ir.Model, values: Iterable[ir.Value], path: Path) -> None:
    """Save a copy of `model` in which `values` are further outputs."""
    tapped = model.clone()
    names = {value.name for value in values}
    tapped.graph.outputs.extend(value for node in tapped.graph for value in node.outputs if value.name in names)
    with disk_errors(path, MAKE_ROOM):
        ir.save(tapped, path)


def select(images: ImageSet, chosen: Sequence[int], path: Path) -> ImageSet:
    """Some of the images, saved as a .npy file of their own."""
    index = np.asarray(chosen, np.int64)
    with disk_errors(path, MAKE_ROOM):
        np.save(path, np.load(images.path, mmap_mode="r")[index])
    return replace(images, path=path, labels=images.labels[index], names=tuple(images.names[k] for k in index))


def subset(images: ImageSet, n: int, path: Path) -> ImageSet:
    """`n` images spread evenly over the set, so that one in the order of its classes gives some of each; all if fewer.

    Args:
        images: the set.
        n: how many.
        path: of the .npy file that is written, where not all are taken.
    """
    if n >= len(images):
        return images
    return select(images, np.linspace(0, len(images) - 1, n).round().astype(int).tolist(), path)


def stream(
    network: ir.Model,
    floats: Sequence[str],
    artifact: Path,
    integers: Sequence[str],
    images: ImageSet,
    input_grid: Grid | None,
    progress: Progress,
) -> Iterator[Taps]:
    """Run both networks over `images` and give their activations, in the order of the images and in bounded memory.

    Args:
        network: float, its activations independent of the batch size.
        floats: what to tap in it.
        artifact: the int8 .onnx file.
        integers: what to tap in that.
        images: to run.
        input_grid: of the integers that the artifact takes; None where it takes floats.
        progress: told how far it is.

    Raises:
        DataError: an activation of the float network that is NaN or infinite.
        RuntimeFailure: a runtime that cannot run one of them.
        InternalError: tapping changed the artifact's outputs.
    """
    int8 = ir.load(artifact)
    values = [value for node in int8.graph for value in node.outputs if value.name in set(integers)]
    stage, total = "activations, float and int8", len(images)
    outputs = predict([Prediction(artifact, images, input_grid)], progress)[0].outputs
    run = _float_session(network, floats)
    many = _affordable(_elements(values))
    few = _affordable(4 * _elements(_find(network, floats)))
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), passing_folder() as folder:
        tapped, part = folder / "tapped.onnx", folder / "part.npy"
        save_tapped(int8, [value for value in values if not value.is_graph_output()], tapped)
        for begin in range(0, total, many):
            progress(stage, begin, total)
            end = min(begin + many, total)
            some = select(images, range(begin, end), part)
            result = predict([Prediction(tapped, some, input_grid, tensors=tuple(integers))], silent)[0]
            if not np.array_equal(result.outputs, outputs[begin:end]):
                raise InternalError("answers otherwise once its activations are outputs too", where=str(artifact))
            for start in range(begin, end, few):
                stop = min(start + few, end)
                here = slice(start - begin, stop - begin)
                taken = {
                    key: tensor[here] if tensor.dtype == np.float32 else unsigned(tensor[here])
                    for key, tensor in result.tensors.items()
                }
                yield Taps(start, run(images.values(stop, start)), taken, result.outputs[here])
                progress(stage, stop, total)


def stream_floats(
    network: ir.Model, names: Sequence[str], images: ImageSet, progress: Progress
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Run a float network alone, and give its activations by name, likewise in order and in bounded memory.

    Args:
        network: its activations independent of the batch size.
        names: what to tap in it.
        images: to run.
        progress: told how far it is.

    Raises:
        DataError: an activation that is NaN or infinite.
    """
    run, total = _float_session(network, names), len(images)
    few = _affordable(4 * _elements(_find(network, names)))
    for start in range(0, total, few):
        progress("activations, float", start, total)
        yield run(images.values(min(start + few, total), start))


def _float_session(model: ir.Model, names: Sequence[str]) -> Callable[[NDArray[np.float32]], dict[str, Any]]:
    """A function from images [n, C, H, W], for any n, to the activations `names` of a float model."""
    copy = model.clone()
    source = copy.graph.inputs[0]
    source.shape = ir.Shape(["N", *shape_of(source)[1:]])
    for node in copy.graph:
        for value in node.outputs:
            value.shape = None
    copy.graph.outputs.clear()
    copy.graph.outputs.extend(_find(copy, names))
    runner = session(copy)

    def run(batch: NDArray[np.float32]) -> dict[str, Any]:
        arrays = dict(zip(names, runner.run(list(names), {source.name: batch}), strict=True))
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                what = f"the float network's activation '{name}' is NaN or infinite"
                raise DataError(what, hint="Check the data and its preprocessing.")
        return arrays

    return run


def _find(model: ir.Model, names: Sequence[str]) -> list[ir.Value]:
    values = [*model.graph.inputs, *(value for node in model.graph for value in node.outputs)]
    by_name = {value.name: value for value in values}
    return [by_name[name] for name in names]


def _elements(values: Iterable[ir.Value]) -> int:
    """Elements of `values`, for one image."""
    return sum(int(np.prod(shape_of(value)[1:])) for value in values)


def _affordable(image_bytes: int) -> int:
    return max(1, _MEMORY // max(1, image_bytes))
