"""Export proves itself: both int8 files run in the real runtimes, and their integers are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.float_ops import SlowOp, litert_undelegated_ops, onnxruntime_float_ops
from edgegap.check.identity import Identity, Side, compare, first_difference
from edgegap.check.images import ImageSet
from edgegap.check.linter import spread
from edgegap.check.predict import OutputGrid, Prediction, predict
from edgegap.disk import passing_folder
from edgegap.errors import IdentityError, InternalError
from edgegap.export.model import NOISE
from edgegap.graph.lines import lift_input
from edgegap.graph.nodes import describe
from edgegap.progress import Progress
from edgegap.quantize.floats import LINEAR, float_nodes, names_in_front
from edgegap.quantize.parameters import Grid
from edgegap.run import Local

FLOAT_IMAGES = 4
"""Images that float evaluations are compared on: a wrong layer shows on any of them."""

KEPT_IN_FLOAT = "--max-drop keeps it in float"
"""Why an op is computed in float, where that was asked for."""


@dataclass(frozen=True)
class Proof:
    """What the proof found.

    Args:
        identity: of the two int8 files.
        logits: of int8.onnx, float64 [n, classes].
        slow_ops: that a runtime computes in float, or outside its fast kernels.
        source: of the file that a quantization was imported from, and int8.onnx.
        notices: one line each on what was not proved.
    """

    identity: Identity
    logits: NDArray[np.float64]
    slow_ops: list[SlowOp]
    source: Identity | None = None
    notices: tuple[str, ...] = ()


def prove_int8(
    onnx: Path,
    tflite: Path,
    images: ImageSet,
    input_grid: Grid | None,
    output_grid: OutputGrid,
    *,
    bound_lsb: int | None,
    target: str,
    progress: Progress,
) -> Proof:
    """Run both int8 files over `images` and compare their output integers.

    Raises:
        IdentityError: more difference than the bound, naming the first layer that differs.
    """
    pair = [Prediction(onnx, images, input_grid, optimized=True), Prediction(tflite, images, input_grid)]
    a, b = predict(pair, progress)
    integers = output_grid.integers(a.outputs), output_grid.integers(b.outputs)
    names = (onnx.name, tflite.name)
    identity = compare(names, (a.runtime, b.runtime), integers, targets=(target, target), bound_lsb=bound_lsb)
    if not identity.holds:
        with passing_folder() as folder:
            sides = (Side(onnx, "onnxruntime", [Local()]), Side(tflite, "ai-edge-litert", [Local()]))
            layer = first_difference(onnx, sides, images, input_grid, folder, progress)
        raise IdentityError(
            f"{identity.different} of {identity.compared} output integers differ between {names[0]} and {names[1]}, "
            f"by at most {identity.max_lsb}; {bound_lsb} is allowed",
            where=layer or "every tensor that both files name agrees: the output itself",
            hint="Please report this network: its bundle was not written.",
        )
    slow = [*onnxruntime_float_ops(a.optimized or b"", ir.load(onnx)), *litert_undelegated_ops(b)]
    return Proof(identity, output_grid.real(integers[0]).reshape(len(images), -1), slow)


def prove_float_layers(
    proof: Proof,
    onnx: Path,
    tflite: Path,
    images: ImageSet,
    input_grid: Grid | None,
    *,
    exact: bool,
    progress: Progress,
) -> Proof:
    """`proof` of two files with layers in float, looked at closer; its identity is only measured.

    1. ONNX Runtime does compute those layers in float, and `slow_ops` says why.
    2. Integers that depend on no float op are the same in both runtimes.

    Args:
        proof: from `prove_int8`.
        onnx: as there, and so are `tflite`, `images` and `input_grid`.
        tflite: see `onnx`.
        images: see `onnx`.
        input_grid: see `onnx`.
        exact: whether every op in front of those layers is.
        progress: told how far it is.

    Raises:
        IdentityError: such integers differ, naming the first layer.
        InternalError: ONNX Runtime quantizes a layer that is to stay in float.
    """
    model = ir.load(onnx)
    floats = {str(node.name): node for node in float_nodes(model)}
    seen = {op.node for op in proof.slow_ops}
    for name, node in floats.items():
        if node.op_type in LINEAR and name not in seen:
            raise InternalError("ONNX Runtime does not compute it in float", where=describe(node))
    if exact:
        with passing_folder() as folder:
            sides = (Side(onnx, "onnxruntime", [Local()]), Side(tflite, "ai-edge-litert", [Local()]))
            layer = first_difference(onnx, sides, images, input_grid, folder, progress, names_in_front(model))
        if layer is not None:
            what = f"integers in front of the first float op differ between {onnx.name} and {tflite.name}"
            raise IdentityError(what, where=layer, hint="Please report this network: its bundle was not written.")
    return replace(
        proof, slow_ops=[replace(op, why=KEPT_IN_FLOAT) if op.node in floats else op for op in proof.slow_ops]
    )


def compare_with_source(
    source: Path,
    onnx: Path,
    images: ImageSet,
    input_grid: Grid | None,
    output_grid: OutputGrid,
    *,
    target: str,
    progress: Progress,
) -> Identity:
    """Run a quantized file, and the int8.onnx that was imported from it, over `images`; no difference is an error."""
    with passing_folder() as folder:
        given = _taking_maps(source, folder)
        a, b = predict([Prediction(given, images), Prediction(onnx, images, input_grid)], progress)
    integers = output_grid.integers(a.outputs), output_grid.integers(b.outputs)
    names, runtimes = (source.name, onnx.name), (a.runtime, b.runtime)
    return compare(names, runtimes, integers, targets=(target, target), bound_lsb=None)


def _taking_maps(onnx: Path, folder: Path) -> Path:
    """The file; of one that takes lines [N, C, L], a copy in `folder` that takes maps of one row."""
    model = ir.load(onnx)
    if not lift_input(model):
        return onnx
    ir.save(model, folder / onnx.name)
    return folder / onnx.name


def prove_float(onnx: Path, tflite: Path | None, images: ImageSet, progress: Progress) -> NDArray[np.float32]:
    """Run both float files; their outputs must be equal within float32 noise.

    Args:
        onnx: run over all images.
        tflite: the other, where there is one; run over `FLOAT_IMAGES` of them.
        images: float32, as the network takes them.
        progress: told how far it is.

    Returns:
        The outputs of the first, [n, classes].

    Raises:
        InternalError: they are not.
    """
    pair, chosen = [Prediction(onnx, images)], spread(len(images), FLOAT_IMAGES)
    if tflite is not None:
        pair.append(Prediction(tflite, images.taken(chosen, images.path.with_name("few.npy"))))
    a, *others = (result.outputs for result in predict(pair, progress))
    for b in others:
        off = float(np.abs(a[chosen] - b).max() / max(float(np.abs(a).max()), 1e-12))
        if off > NOISE:
            raise InternalError(
                f"{pair[1].artifact.name} differs from {onnx.name} by {off:.1e} of the largest output",
                hint="Please report this network: its bundle was not written.",
            )
    logits: NDArray[np.float32] = a.reshape(len(a), -1)
    return logits
