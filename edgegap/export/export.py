"""The main job: from a trained network to a bundle of float and int8 files that are proved to agree."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap import __version__
from edgegap.bundle import (
    MANIFEST,
    FileEntry,
    Manifest,
    describe_file,
    new_bundle,
    refuse_existing,
    weights_file,
    write_json,
)
from edgegap.check.images import MAKE_ROOM, ImageSet, save_images
from edgegap.check.linter import few_calibration_images, image_hashes, lint_images, spread
from edgegap.check.predict import OutputGrid
from edgegap.data import DataSource, Preprocessing, load_preprocessing, open_data, read_classes, read_titles
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import InternalError, MissingPackage, RuntimeFailure
from edgegap.export.auto import recipes_of
from edgegap.export.kept import evidence, float_layers, kept_notices
from edgegap.export.loss import Seen, remedy
from edgegap.export.model import FloatModel, given_model, load_model
from edgegap.export.pair import write_pair
from edgegap.export.prove import (
    FLOAT_IMAGES,
    KEPT_IN_FLOAT,
    Proof,
    compare_with_source,
    prove_float,
    prove_float_layers,
    prove_int8,
)
from edgegap.export.quantizing import Made, Quantizer, measure_sensitivity, quantize_network
from edgegap.export.readme import bundle_readme
from edgegap.export.settings import ExportSettings
from edgegap.export.view import quantization_view
from edgegap.graph.factory import checkpoint_of
from edgegap.graph.head import head_of
from edgegap.graph.macs import macs_of
from edgegap.graph.nodes import shape_of
from edgegap.heap import give_back
from edgegap.models import Checkpoint
from edgegap.needs_torch import import_torch
from edgegap.progress import Progress
from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.floats import float_nodes
from edgegap.quantize.lower import ARITHMETIC
from edgegap.quantize.mixed import Mixed
from edgegap.quantize.parameters import SIGNED
from edgegap.quantize.quantization import Quantized
from edgegap.quantize.recipe import require_torch
from edgegap.quantize.sensitivity import IMAGES, Sensitivity
from edgegap.quantize.verify import grid_of
from edgegap.run.local import DESKTOP
from edgegap.run.target import Target, load_target

PROVED_IMAGES = 32
"""Images that the proof of the int8 files runs through both runtimes."""

NAMED_ON = 4
"""Images that show which part of a network int8 costs most, where nobody asked for a ranking of them all."""

NAMING_MACS = 400 * 10**9
"""Multiply-accumulates that this may take, some 10 s on two cores: fewer images in a larger network, or none."""

_TOOLS = ("onnx", "onnx-ir", "onnxruntime", "ai-edge-litert", "numpy", "torch")


@dataclass(frozen=True)
class Exported:
    """What an export made.

    Args:
        record: the JSON record, 'edgegap.export/1'.
        notices: one line each on what a user should know.
    """

    record: dict[str, Any]
    notices: tuple[str, ...]


def export(settings: ExportSettings, progress: Progress, quantizer: Quantizer = quantize_network) -> Exported:
    """Export a network; the bundle appears whole at `settings.output`, or not at all.

    Args:
        settings: the call.
        progress: told how far it is.
        quantizer: makes the int8 network.

    Raises:
        InputError: and its kinds, for anything wrong with the call, the network or the images.
        IdentityError: the two int8 files disagree.
        DeviceError: and its kinds, for a disk or a runtime that fails.
    """
    began = time.perf_counter()
    refuse_existing(settings.output, force=settings.force)
    target = load_target(settings.target)  # a mistake in it or in the recipe is told before any work
    for recipe in recipes_of(settings.recipe):
        if settings.int8 and recipe.ranges == "margin":
            require_torch(recipe)
    if settings.max_drop_pp is not None:
        import_torch("--max-drop", "leave it out")
    if settings.report_sensitivity:
        import_torch("--report-sensitivity", "leave it out")
    checkpoint = checkpoint_of(settings.model, settings.weights)
    preprocessing = _preprocessing(settings, checkpoint)
    if preprocessing is None:
        settings.check_pixels()
    source = _calibration(settings)
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), passing_folder() as folder:
        images = None if source is None else save_images(source, preprocessing, folder / "calibration.npy", progress)
        progress("reading the network", 0, None)
        seen = None if images is None else images.shape
        own = None if checkpoint is None else checkpoint.arguments.input_shape
        network = load_model(given_model(settings, seen, own), settings.model)
        settings.check_fit(quantized=network.qdq is not None)
        sample = _sample(network, images, preprocessing, folder)
        network = network.compared(sample.values(FLOAT_IMAGES))
        give_back()
        with new_bundle(settings.output, force=settings.force) as staging:
            classes = _classes(settings, checkpoint, source)
            work = _Export(settings, target, network, images, sample, preprocessing, classes, progress, quantizer)
            record, notices = work.write(staging)
    record["seconds"] = round(time.perf_counter() - began, 3)
    skipped = [] if source is None else [f"skipped a calibration image: {why}" for why in source.skipped]
    return Exported(record, (*skipped, *network.notices, *notices))


def output_grid(quantized: Quantized) -> OutputGrid:
    """The grid of the output integers of a quantized network, signed; where its last layer stays in float, the step of
    the grid that it would have.
    """
    value = quantized.model.graph.outputs[0]
    grid = grid_of(value)
    if grid is not None:
        return OutputGrid(grid.scale, grid.zero_point - SIGNED)
    if value.producer() in float_nodes(quantized.model):
        return OutputGrid(quantized.parts.grids[str(value.name)].scale, None)
    raise InternalError("the output has no grid")


@dataclass(frozen=True)
class _Export:
    """One export, from the canonical float model on.

    Args:
        settings: the call.
        target: the device that it is for.
        network: the float reference.
        images: for calibration; None in a float export.
        sample: the images that proofs run on.
        preprocessing: of the images.
        classes: their names, in the order of the outputs.
        progress: told how far it is.
        quantizer: makes the int8 network.
    """

    settings: ExportSettings
    target: Target
    network: FloatModel
    images: ImageSet | None
    sample: ImageSet
    preprocessing: Preprocessing | None
    classes: tuple[str, ...] | None
    progress: Progress
    quantizer: Quantizer

    def write(self, staging: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Write everything in the bundle; the record, and notices."""
        self.progress("writing the float files", 0, None)
        self._write_pair(self.network.model, "float", staging)
        onnx, tflite = staging / "float.onnx", staging / "float.tflite"
        reference = prove_float(onnx, tflite if tflite.exists() else None, self.sample, self.progress)
        proof, measured, layers = None, None, list[dict[str, Any]]()
        notices = self._batch_notice()
        if not tflite.exists():
            notices += ("float.tflite is left out: the weights take more than the 2 GiB that a TFLite file can hold",)
        made = self.quantizer(self.network, self.images, self.sample.table, self.settings, self.progress)
        give_back()
        quantized = None if made is None else made.quantized
        if made is not None and quantized is not None:
            self._write_pair(quantized.model, "int8", staging)
            proof = self._prove(quantized, staging)
            if self.images is not None:
                measured, lost = self._sensitivity(made, self.images, reference, proof.logits)
                notices = (*notices, *lost)
            slow = [f"{op.op} {op.node}: {op.why}" for op in proof.slow_ops if op.why != KEPT_IN_FLOAT]
            notices = (*notices, *self._lint(), *quantized.notices, *proof.notices, *slow)
            view = quantization_view(quantized.model, quantized.input_grid, self.sample.table) | made.evidence
            if made.mixed is not None:
                layers = self._float_layers(made.mixed, staging)
                notices = (*notices, *kept_notices(made.mixed, layers))
                view["mixed_precision"] = evidence(made.mixed, self.settings.max_drop_pp, layers)
            if measured is not None:
                view["sensitivity"] = measured.to_json()
            write_json(staging / "quantization.json", view)
        for file in list(staging.iterdir()):
            if file.suffix in (".onnx", ".tflite") and file.suffix[1:] not in self.settings.formats:
                weights_file(file).unlink(missing_ok=True)
                file.unlink()
        manifest = self._manifest(made, staging)
        (staging / "README.md").write_text(bundle_readme(manifest), encoding="utf-8")
        write_json(staging / MANIFEST, manifest.to_json())
        more = {"float_layers": layers, "sensitivity": None if measured is None else measured.to_json()}
        return self._record(manifest, quantized, proof) | more, notices

    def _sensitivity(
        self, made: Made, images: ImageSet, reference: NDArray[np.float32], logits: NDArray[np.float64]
    ) -> tuple[Sensitivity | None, tuple[str, ...]]:
        """What each part costs, where that was asked for, and a notice where int8 loses more than it may."""
        found = measure_sensitivity(made, images, IMAGES, self.progress) if self.settings.report_sensitivity else None
        seen = Seen(reference, logits, self.sample.labels)
        if not seen.is_alarming:
            return found, ()
        parts, macs = made.quantized.parts, sum(map(macs_of, self.network.model.graph))
        each = (len(parts.grids) + len(parts.linear)) * macs // 2  # every part is computed from its own place on
        count = min(NAMED_ON, NAMING_MACS // max(each, 1))
        try:
            ranked = found or (measure_sensitivity(made, images, count, self.progress) if count else None)
        except MissingPackage:  # the notice says what it could not find out
            ranked = None
        worst = ranked.parts[0] if ranked is not None and ranked.parts else None
        return found, (seen.notice(worst, remedy(self.settings, imported=self.network.qdq is not None)),)

    def _batch_notice(self) -> tuple[str, ...]:
        given, bound = self.network.batch, self.settings.batch
        return (
            ()
            if given in (1, bound)
            else (f"the batch of the network, {given}, becomes {bound}: --batch gives another",)
        )

    def _float_layers(self, mixed: Mixed, staging: Path) -> list[dict[str, Any]]:
        def write_int8(model: ir.Model, folder: Path) -> None:
            self._write_pair(model, "int8", folder)

        return float_layers(mixed, staging, self.settings.formats, self.settings.io, write_int8, self.progress)

    def _write_pair(self, model: ir.Model, precision: Literal["float", "int8"], folder: Path) -> None:
        write_pair(model, precision, folder, batch=self.settings.batch, activation=self.target.activation)

    def _prove(self, quantized: Quantized, staging: Path) -> Proof:
        inexact = inexact_ops(quantized.model, self.sample.table)
        onnx, tflite, outputs = staging / "int8.onnx", staging / "int8.tflite", output_grid(quantized)
        inputs = quantized.input_grid if self.settings.io == "int8" else None
        proof = prove_int8(
            onnx,
            tflite,
            self.sample,
            inputs,
            outputs,
            bound_lsb=None if inexact else 0,
            target=DESKTOP,
            progress=self.progress,
        )
        if quantized.parts.float_layers:
            exact = all(op.lsb is None for op in inexact)
            proof = prove_float_layers(proof, onnx, tflite, self.sample, inputs, exact=exact, progress=self.progress)
        source = Path(self.settings.model)
        if self.network.qdq is None or not source.is_file():
            return proof
        try:
            kept = compare_with_source(
                source, onnx, self.sample, inputs, outputs, target=DESKTOP, progress=self.progress
            )
        except RuntimeFailure as error:  # its exact kernels refuse some forms of other tools, not ours
            return replace(proof, notices=(f"the given file itself was not compared with int8.onnx: {error.what}",))
        return replace(proof, source=kept)

    def _manifest(self, made: Made | None, staging: Path) -> Manifest:
        settings, graph = self.settings, self.network.model.graph
        quantized = None if made is None else made.quantized
        grid = None if quantized is None else output_grid(quantized)
        inexact = [] if quantized is None else inexact_ops(quantized.model, self.sample.table)
        return Manifest(
            model=settings.model,
            head=head_of(self.network.model),
            classes=self.classes,
            titles=self._titles(),
            preprocessing=None if self.preprocessing is None else self.preprocessing.to_json(),
            input_shape=(settings.batch, *shape_of(graph.inputs[0])[1:]),
            outputs=self._outputs(),
            io=settings.io if quantized else None,
            input_scale=quantized.input_grid.scale if quantized else None,
            input_zero_point=quantized.input_grid.zero_point - SIGNED if quantized else None,
            output_scale=grid.scale if grid else None,
            output_zero_point=grid.zero_point if grid else None,
            recipe=made.recipe if made else None,
            target=self.target.name if quantized else None,
            activation=self.target.activation if quantized else None,
            calibration=settings.calibration if quantized and quantized.images else None,
            calibration_images=quantized.images if quantized else 0,
            calibration_hashes=self._calibration_hashes(),
            exactness=None if quantized is None else ("bounded" if inexact else "exact"),
            inexact=f"{inexact[0].where}: {inexact[0].why}" if inexact else None,
            float_layers=() if quantized is None else tuple(sorted(quantized.parts.float_layers)),
            files=_files(staging),
            tools={"edgegap": __version__, **{name: _version(name) for name in _TOOLS if _version(name)}},
        )

    def _lint(self) -> list[str]:
        images = self.images
        if images is None:
            return ["the int8 files were compared on noise: give images with --calib to compare them on those"]
        names = self.classes or tuple(map(str, range(self._outputs())))
        few = few_calibration_images(len(images), len(names)) if self.network.qdq is None else None
        return [*lint_images(images, self.preprocessing, names), *([] if few is None else [few])]

    def _titles(self) -> tuple[str, ...] | None:
        titles = None if self.settings.classes is None else read_titles(self.settings.classes)
        return None if titles == self.classes else titles

    def _outputs(self) -> int:
        return int(np.prod(shape_of(self.network.model.graph.outputs[0])[1:]))

    def _calibration_hashes(self) -> tuple[str, ...]:
        """Of at most 512 images, evenly spread: enough to tell that a check sees them again."""
        if self.images is None or self.network.qdq is not None:
            return ()
        hashes = image_hashes(self.images)
        return tuple(hashes[k] for k in spread(len(hashes)))

    def _record(self, manifest: Manifest, quantized: Quantized | None, proof: Proof | None) -> dict[str, Any]:
        nodes = [] if quantized is None else list(quantized.model.graph)
        floats = [] if quantized is None else float_nodes(quantized.model)
        return {
            "schema": "edgegap.export/1",
            "bundle": str(self.settings.output),
            "exactness": manifest.exactness,
            "inexact": manifest.inexact,
            "files": [{"name": f.name, "bytes": f.bytes, "sha256": f.sha256} for f in manifest.files],
            "int8_ops": sum(node.op_type in ARITHMETIC and node not in floats for node in nodes),
            "float_ops": [] if proof is None else [asdict(op) for op in proof.slow_ops],
            "identity": [] if proof is None else [i.to_json() for i in (proof.identity, proof.source) if i],
        }


def _calibration(settings: ExportSettings) -> DataSource | None:
    if settings.calibration is None:
        return None
    source = open_data(settings.calibration, classes=settings.classes, strict=settings.strict)
    return source.take(settings.samples)


def _preprocessing(settings: ExportSettings, checkpoint: Checkpoint | None) -> Preprocessing | None:
    if settings.preprocess is not None:
        return load_preprocessing(settings.preprocess)
    return None if checkpoint is None else checkpoint.preprocessing


def _classes(
    settings: ExportSettings, checkpoint: Checkpoint | None, source: DataSource | None
) -> tuple[str, ...] | None:
    if settings.classes is None and checkpoint is not None:
        return checkpoint.classes
    if source is not None:
        return source.classes
    return None if settings.classes is None else read_classes(settings.classes)


def _sample(
    network: FloatModel, images: ImageSet | None, preprocessing: Preprocessing | None, folder: Path
) -> ImageSet:
    """The images that proofs run on: some from all over the calibration images, or noise where there are none."""
    path = folder / "sample.npy"
    if images is not None:
        return images.taken(spread(len(images), PROVED_IMAGES), path)
    _, c, h, w = shape_of(network.model.graph.inputs[0])
    rng, table = np.random.default_rng(0), None
    noise = rng.normal(size=(FLOAT_IMAGES, c, h, w)).astype(np.float32)
    if network.qdq is not None and preprocessing is not None:
        table = preprocessing.table(c)
        noise = rng.integers(0, 256, (PROVED_IMAGES, h, w, c), np.uint8)
    np.save(path, noise)
    names = tuple(f"noise {k}" for k in range(len(noise)))
    return ImageSet(path, np.full(len(noise), -1), names, table, (c, h, w))


def _files(staging: Path) -> tuple[FileEntry, ...]:
    names = [f"{precision}.{form}" for precision in ("float", "int8") for form in ("onnx", "tflite")]
    return tuple(describe_file(staging / name) for name in names if (staging / name).is_file())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
