"""The main job: from a trained network to a bundle of float and int8 files that are proved to agree."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from edgegap import __version__
from edgegap.bundle import MANIFEST, FileEntry, Manifest, describe_file, new_bundle, refuse_existing, write_json
from edgegap.check.images import MAKE_ROOM, ImageSet, save_images
from edgegap.check.predict import OutputGrid
from edgegap.data import DataSource, Preprocessing, batches, load_preprocessing, open_data, read_classes
from edgegap.disk import disk_errors
from edgegap.errors import DataError
from edgegap.export.model import FloatModel, load_model
from edgegap.export.prove import Proof, prove_float, prove_int8
from edgegap.export.readme import bundle_readme
from edgegap.export.settings import ExportSettings
from edgegap.export.view import quantization_view
from edgegap.graph.head import head_of
from edgegap.graph.nodes import shape_of
from edgegap.graph.shapes import set_batch
from edgegap.progress import Progress
from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.lower import ARITHMETIC
from edgegap.quantize.observer import BATCH
from edgegap.quantize.quantize import Quantized, quantize
from edgegap.quantize.recipe import load_recipe
from edgegap.quantize.verify import grid_of
from edgegap.resources import resource
from edgegap.tflite import write_tflite

PROVED_IMAGES = 32
"""Images that the proof runs through both runtimes."""

_TOOLS = ("onnx", "onnx-ir", "onnxruntime", "ai-edge-litert", "numpy", "torch")


@dataclass(frozen=True)
class Exported:
    """What an export made.

    Args:
        record: the JSON record, 'edgegap.export/1'.
        manifest: of the bundle.
        notices: one line each on what a user should know.
    """

    record: dict[str, Any]
    manifest: Manifest
    notices: tuple[str, ...]


def export(settings: ExportSettings, progress: Progress) -> Exported:
    """Export a network; the bundle appears whole at `settings.output`, or not at all.

    Raises:
        InputError: and its kinds, for anything wrong with the call, the network or the images.
        IdentityError: the two int8 files disagree.
        DeviceError: and its kinds, for a disk or a runtime that fails.
    """
    began = time.perf_counter()
    refuse_existing(settings.output, force=settings.force)
    resource("targets", settings.target)
    preprocessing = None if settings.preprocess is None else load_preprocessing(settings.preprocess)
    source = _calibration(settings)
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), tempfile.TemporaryDirectory(prefix="edgegap-") as folder:
        images = _images(source, preprocessing, settings, Path(folder) / "calibration.npy", progress)
        progress("reading the network", 0, None)
        network = load_model(
            settings.model, settings.weights, settings.input_shape, None if images is None else images.shape
        )
        sample = _sample(network, images, Path(folder))
        network.check(sample.values(8))
        with new_bundle(settings.output, force=settings.force) as staging:
            classes = _classes(settings, source)
            exported = _write(settings, network, images, sample, preprocessing, classes, staging, progress)
    record = {**exported.record, "seconds": round(time.perf_counter() - began, 3)}
    skipped = [] if source is None else [f"skipped a calibration image: {why}" for why in source.skipped]
    return replace(exported, record=record, notices=(*skipped, *exported.notices))


def _calibration(settings: ExportSettings) -> DataSource | None:
    if settings.calibration is None:
        return None
    source = open_data(settings.calibration, classes=settings.classes, strict=settings.strict)
    return source.take(settings.samples)


def _images(
    source: DataSource | None, preprocessing: Preprocessing | None, settings: ExportSettings, path: Path, progress: Progress
) -> ImageSet | None:
    if source is None:
        return None
    total = settings.samples or source.count

    def reported():  # type: ignore[no-untyped-def]  # a generator of batches
        done = 0
        for batch in batches(source, preprocessing, BATCH):
            yield batch
            done += len(batch.labels)
            progress("reading calibration images", done, total)

    return save_images(reported(), preprocessing, path)


def _sample(network: FloatModel, images: ImageSet | None, folder: Path) -> ImageSet:
    """The images that proofs run on: the first of the calibration images, or noise where there are none."""
    path = folder / "sample.npy"
    with disk_errors(path, MAKE_ROOM):
        if images is not None:
            first = np.load(images.path, mmap_mode="r")[:PROVED_IMAGES]
            np.save(path, first)
            return replace(images, path=path, labels=images.labels[: len(first)], names=images.names[: len(first)])
        shape = shape_of(network.model.graph.inputs[0])[1:]
        noise = np.random.default_rng(0).normal(size=(8, *shape)).astype(np.float32)
        np.save(path, noise)
    return ImageSet(path, np.full(len(noise), -1), tuple(f"noise {k}" for k in range(len(noise))), None, shape)


def _write(
    settings: ExportSettings,
    network: FloatModel,
    images: ImageSet | None,
    sample: ImageSet,
    preprocessing: Preprocessing | None,
    classes: tuple[str, ...] | None,
    staging: Path,
    progress: Progress,
) -> Exported:
    """Everything in the bundle, from the canonical float model on."""
    progress("writing the float files", 0, None)
    _write_pair(network.model, "float", settings, staging)
    prove_float(staging / "float.onnx", staging / "float.tflite", sample, progress)
    quantized, proof, notices = None, None, ()
    if settings.int8 and images is not None:
        quantized = _quantize(settings, network, images, progress)
        _write_pair(quantized.model, "int8", settings, staging)
        proof = _prove(settings, quantized, sample, staging, progress)
        notices = (*quantized.notices, *(f"{op.op} {op.node}: {op.why}" for op in proof.slow_ops))
    for file in [*staging.iterdir()]:
        if file.suffix[1:] not in settings.formats:
            file.unlink()
    manifest = _manifest(settings, network, quantized, sample, preprocessing, classes, staging)
    if quantized is not None:
        view = quantization_view(quantized.model, quantized.input_grid, sample.table)
        write_json(staging / "quantization.json", view)
    (staging / "README.md").write_text(bundle_readme(manifest), encoding="utf-8")
    write_json(staging / MANIFEST, manifest.to_json())
    return Exported(_record(settings, manifest, quantized, proof), manifest, notices)


def _write_pair(model: ir.Model, precision: str, settings: ExportSettings, staging: Path) -> None:
    bound = model.clone()
    set_batch(bound, settings.batch)
    bound.producer_name, bound.producer_version = "edgegap", __version__
    ir.save(bound, staging / f"{precision}.onnx")
    (staging / f"{precision}.tflite").write_bytes(write_tflite(bound, description=f"EdgeGAP {__version__}"))


def _quantize(settings: ExportSettings, network: FloatModel, images: ImageSet, progress: Progress) -> Quantized:
    if images.table is not None and not np.isfinite(images.table).all():
        raise DataError("the preprocessing gives NaN or infinity for some pixels")

    def calibration():  # type: ignore[no-untyped-def]  # a generator of arrays
        for start in range(0, len(images), BATCH):
            progress("calibrating", start, len(images))
            yield images.values(start + BATCH, start)

    recipe = load_recipe(settings.recipe)
    return quantize(network.model, calibration(), recipe, table=images.table, io=settings.io)


def _prove(
    settings: ExportSettings, quantized: Quantized, sample: ImageSet, staging: Path, progress: Progress
) -> Proof:
    inexact = inexact_ops(quantized.model, sample.table)
    return prove_int8(
        staging / "int8.onnx",
        staging / "int8.tflite",
        sample,
        quantized.input_grid if settings.io == "int8" else None,
        output_grid(quantized.model),
        bound_lsb=None if inexact else 0,
        target=settings.target,
        progress=progress,
    )


def output_grid(model: ir.Model) -> OutputGrid:
    """The grid of the output integers of a QDQ model, signed."""
    grid = grid_of(model.graph.outputs[0])
    if grid is None:
        raise DataError("the output has no grid")
    return OutputGrid(grid.scale, grid.zero_point - 128)


def _manifest(
    settings: ExportSettings,
    network: FloatModel,
    quantized: Quantized | None,
    sample: ImageSet,
    preprocessing: Preprocessing | None,
    classes: tuple[str, ...] | None,
    staging: Path,
) -> Manifest:
    graph = network.model.graph
    grid = None if quantized is None else output_grid(quantized.model)
    inexact = [] if quantized is None else inexact_ops(quantized.model, sample.table)
    return Manifest(
        model=settings.model,
        head=head_of(network.model),
        classes=classes,
        preprocessing=None if preprocessing is None else preprocessing.to_json(),
        input_shape=(settings.batch, *shape_of(graph.inputs[0])[1:]),
        outputs=int(np.prod(shape_of(graph.outputs[0])[1:])),
        io=settings.io if quantized else None,
        input_scale=quantized.input_grid.scale if quantized else None,
        input_zero_point=quantized.input_grid.zero_point - 128 if quantized else None,
        output_scale=grid.scale if grid else None,
        output_zero_point=grid.zero_point if grid else None,
        recipe=settings.recipe if quantized else None,
        target=settings.target if quantized else None,
        calibration=settings.calibration if quantized else None,
        calibration_images=quantized.images if quantized else 0,
        exactness=None if quantized is None else ("bounded" if inexact else "exact"),
        inexact=f"{inexact[0].where}: {inexact[0].why}" if inexact else None,
        files=_files(staging),
        tools={"edgegap": __version__, **{name: _version(name) for name in _TOOLS if _version(name)}},
    )


def _classes(settings: ExportSettings, source: DataSource | None) -> tuple[str, ...] | None:
    if source is not None:
        return source.classes
    return None if settings.classes is None else read_classes(settings.classes)


def _files(staging: Path) -> tuple[FileEntry, ...]:
    names = [f"{precision}.{form}" for precision in ("float", "int8") for form in ("onnx", "tflite")]
    return tuple(describe_file(staging / name) for name in names if (staging / name).is_file())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _record(
    settings: ExportSettings, manifest: Manifest, quantized: Quantized | None, proof: Proof | None
) -> dict[str, Any]:
    arithmetic = [] if quantized is None else [node for node in quantized.model.graph if node.op_type in ARITHMETIC]
    return {
        "schema": "edgegap.export/1",
        "bundle": str(settings.output),
        "exactness": manifest.exactness,
        "inexact": manifest.inexact,
        "files": [{"name": f.name, "bytes": f.bytes, "sha256": f.sha256} for f in manifest.files],
        "int8_ops": len(arithmetic),
        "float_ops": [] if proof is None else [asdict(op) for op in proof.slow_ops],
        "identity": [] if proof is None else [proof.identity.to_json()],
    }
