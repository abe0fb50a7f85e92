"""What an export would make, before any work: no images are looked at but for their size, and nothing is written."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap import __version__
from edgegap.check.images import MAKE_ROOM, save_images
from edgegap.data import Preprocessing, load_preprocessing, open_data
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import ModelError, UnsupportedOpError
from edgegap.export.model import Given, given_model, load_model
from edgegap.export.rehearsal import pixel_table, rehearse
from edgegap.export.settings import ExportSettings
from edgegap.graph import canonical
from edgegap.graph.factory import checkpoint_of
from edgegap.graph.macs import macs_of
from edgegap.graph.memory import peak_activations
from edgegap.graph.nodes import module_path, shape_of
from edgegap.graph.refusals import Refusal, find_node, refusals
from edgegap.graph.shapes import bind_input, set_batch
from edgegap.progress import Progress
from edgegap.qdq import Qdq, import_qdq, is_quantized
from edgegap.quantize.bounds import Inexact, inexact_ops
from edgegap.quantize.floats import float_nodes
from edgegap.quantize.lower import ARITHMETIC, lower
from edgegap.quantize.quantization import Quantized
from edgegap.quantize.signed import with_int8_activations
from edgegap.run.target import Target, load_target
from edgegap.tflite import write_tflite

_RUNTIMES = {"onnx": ("onnxruntime",), "tflite": ("ai-edge-litert", "tflite-runtime")}
"""What takes a format."""

_PROCESS = {"onnx": (65, 3.0), "tflite": (45, 1.9)}
"""MiB of a process with a runtime, and how many times a file's bytes it takes at most while it loads and packs it. The
peaks of processes that ran 6 files of 1 to 36 MiB, float and int8, are below it, by up to 25 % (ONNX Runtime 1.32,
LiteRT 2.3, x86-64)."""


@dataclass
class _Network:
    """What is known of a network.

    Args:
        model: canonical, of one image; where nodes were refused, without them; None where it has no such form.
        refused: the nodes that neither format takes.
        complete: whether all nodes were looked at.
        qdq: the quantization that came with it.
        notices: one line each on what was done to read it.
    """

    model: ir.Model | None
    refused: list[Refusal]
    complete: bool = True
    qdq: Qdq | None = None
    notices: tuple[str, ...] = ()


def dry_run(settings: ExportSettings, progress: Progress) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record 'edgegap.dry_run/1' of an export, and one line each on what a user should know.

    The float files are made in memory, and so are the int8 files, from one image of noise: their sizes differ from the
    real ones by the few requantizes that depend on ranges.

    Args:
        settings: the call; the output and what images are needed for are not looked at.
        progress: told how far it is.

    Raises:
        InputError: and its kinds, for a call or a network of which nothing can be said.
    """
    began = time.perf_counter()
    target = load_target(settings.target)
    checkpoint = checkpoint_of(settings.model, settings.weights)
    preprocessing = None if checkpoint is None else checkpoint.preprocessing
    if settings.preprocess is not None:
        preprocessing = load_preprocessing(settings.preprocess)
    seen = _image_shape(settings, preprocessing, progress)
    own = None if checkpoint is None else checkpoint.arguments.input_shape
    progress("reading the network", 0, None)
    network = _read(settings, seen, own)
    progress("making the files in memory", 0, None)
    record = _Rehearsal(settings, target, network, preprocessing).record()
    notices = network.notices
    if settings.max_drop_pp is not None:
        notices = (*notices, "which layers --max-drop keeps in float shows when they are measured: none are here")
    return record | {"seconds": round(time.perf_counter() - began, 3)}, notices


def refused_error(record: dict[str, Any]) -> UnsupportedOpError | None:
    """The error that a dry run ends with; None where the export would go through."""
    refused = record["refused"]
    if not refused:
        return None
    nodes = "1 node" if len(refused) == 1 else f"{len(refused)} nodes"
    only_tflite = all(node["files"] == ["tflite"] for node in refused)
    hint = "Each is listed, with what to do." + (" --format onnx leaves TFLite out." if only_tflite else "")
    return UnsupportedOpError(f"{nodes} cannot be exported", where=record["model"], hint=hint)


def _image_shape(
    settings: ExportSettings, preprocessing: Preprocessing | None, progress: Progress
) -> tuple[int, int, int] | None:
    """C, H, W of the first calibration image, preprocessed."""
    if settings.calibration is None:
        return None
    if preprocessing is None:
        settings.check_pixels()
    source = open_data(settings.calibration, classes=settings.classes, strict=settings.strict).take(1)
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), passing_folder() as folder:
        return save_images(source, preprocessing, folder / "image.npy", progress).shape


def _read(
    settings: ExportSettings, seen: tuple[int, int, int] | None, trained: tuple[int, int, int] | None
) -> _Network:
    given = given_model(settings, seen, trained)
    untouched = given.model.clone()
    try:
        loaded = load_model(given, settings.model)
    except UnsupportedOpError as error:
        return _all_refused(untouched, given, error)
    settings.check_fit(quantized=loaded.qdq is not None)
    return _Network(loaded.model, [], qdq=loaded.qdq, notices=loaded.notices)


def _all_refused(model: ir.Model, given: Given, error: UnsupportedOpError) -> _Network:
    """All that is refused, where `error` was raised for the first node."""
    known = [Refusal.of(error, find_node(model, error))]
    foreign = any(node.domain not in ("", "ai.onnx") for node in model.graph)
    if foreign or is_quantized(model):
        return _Network(None, known, complete=False, notices=given.notices)
    bind_input(model, (1, *given.shape))
    refused, complete = refusals(model, _to_canonical)
    return _Network(model, refused or known, complete=complete, notices=given.notices)


def _to_canonical(model: ir.Model) -> None:
    canonical.apply_passes(model)
    canonical.check_nodes(model)


@dataclass(frozen=True)
class _Rehearsal:
    """The export of a network, in memory."""

    settings: ExportSettings
    target: Target
    network: _Network
    preprocessing: Preprocessing | None

    def record(self) -> dict[str, Any]:
        """All but the time it took."""
        model, refused = self.network.model, [_row(r, list(self.settings.formats)) for r in self.network.refused]
        quantized, files, bounded = None, list[dict[str, Any]](), list[Inexact]()
        goes_through = model is not None and not refused
        if model is not None and "tflite" in self.settings.formats:
            refused += self._refused_by_tflite(model)
        if model is not None and goes_through:
            quantized, error = self._quantized(model)
            if error is not None:
                refused.append(error)
            files, more = self._files(model, quantized, {row["node"] for row in refused})
            refused += more
            bounded = [] if quantized is None else inexact_ops(quantized.model, self._table(model))
        peak = None if model is None else peak_activations(model)
        return {
            "schema": "edgegap.dry_run/1",
            "model": self.settings.model,
            "input_shape": None if model is None else list(shape_of(_input(model))),
            "parameters": None if model is None else _parameters(model),
            "macs": None if model is None else sum(macs_of(node) for node in model.graph),
            "peak_activation_bytes": None if peak is None else {"float": 4 * peak, "int8": peak},
            "int8_ops": None if model is None else _int8_ops(model, quantized),
            "float_ops": _float_ops(quantized),
            "refused": refused,
            "complete": self.network.complete,
            "exactness": None if quantized is None else "bounded" if bounded else "exact",
            "bounded": [asdict(op) for op in bounded],
            "files": [file | self._on_target(file, peak or 0) for file in files],
            "target": {
                "name": self.target.name,
                "memory_mib": self.target.memory_mib,
                "runtimes": self.target.runtimes,
            },
        }

    def _table(self, model: ir.Model) -> NDArray[np.float32]:
        """The value of every pixel; for a network whose preprocessing is not known yet, some that it may have."""
        channels = shape_of(_input(model))[1]
        return pixel_table(channels) if self.preprocessing is None else self.preprocessing.table(channels)

    def _quantized(self, model: ir.Model) -> tuple[Quantized | None, dict[str, Any] | None]:
        """The int8 network, or why there is none."""
        qdq, settings = self.network.qdq, self.settings
        try:
            table = self._table(model)
            if qdq is None:
                return rehearse(model, table, settings.io), None
            return import_qdq(qdq, table=table, io=settings.io, resnap=settings.resnap), None
        except ModelError as error:
            found = find_node(model, error)
            return None, _row(Refusal.of(error, found), [f"int8.{form}" for form in settings.formats])

    def _refused_by_tflite(self, model: ir.Model) -> list[dict[str, Any]]:
        """The nodes of the float network that have no spelling."""
        try:
            found, complete = refusals(model.clone(), write_tflite)
        except ModelError as error:  # of the network as a whole: it is too large for the format
            return [_row(Refusal.of(error, None), ["tflite"])]
        self.network.complete &= complete
        return [_row(refusal, ["tflite"]) for refusal in found]

    def _files(
        self, model: ir.Model, quantized: Quantized | None, known: set[str]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Name and size of every file, and what only the writer of int8 files refuses."""
        made, refused = list[dict[str, Any]](), list[dict[str, Any]]()
        pair = {"float": model} | ({} if quantized is None else {"int8": quantized.model})
        for precision, given in pair.items():
            bound = given.clone()
            set_batch(bound, self.settings.batch)
            bound.producer_name, bound.producer_version = "edgegap", __version__
            for form in self.settings.formats:
                try:
                    size = self._size(bound, precision, form)
                except ModelError as error:
                    refusal = Refusal.of(error, find_node(bound, error))
                    if precision == "int8" and refusal.node not in known:
                        refused.append(_row(refusal, [f"{precision}.{form}"]))
                    continue
                made.append({"name": f"{precision}.{form}", "bytes": size, "estimated": precision == "int8"})
        return made, refused

    def _size(self, bound: ir.Model, precision: str, form: str) -> int:
        if form == "tflite":
            return len(write_tflite(bound, description=f"EdgeGAP {__version__}"))
        signed = precision == "int8" and self.target.activation == "int8"
        return len(ir.to_proto(with_int8_activations(bound) if signed else bound).SerializeToString())

    def _on_target(self, file: dict[str, Any], peak: int) -> dict[str, Any]:
        """Where a file runs on the target, and the memory that its process takes there at most."""
        precision, form = file["name"].split(".")
        runtimes = [name for name in _RUNTIMES[form] if name in self.target.runtimes]
        process_mib, times = _PROCESS[form]
        activations = peak * self.settings.batch * (4 if precision == "float" else 1)
        needs = process_mib + (times * file["bytes"] + activations) / 2**20
        return {"needs_mib": round(needs, 1), "fits": needs <= self.target.memory_mib, "runtimes": runtimes}


def _input(model: ir.Model) -> ir.Value:
    return model.graph.inputs[0]


def _row(refusal: Refusal, files: list[str]) -> dict[str, Any]:
    return asdict(refusal) | {"files": files}


def _parameters(model: ir.Model) -> int:
    """How many numbers the float files hold, BatchNorm folded."""
    arrays = [value.const_value for value in model.graph.initializers.values() if value.uses()]
    return sum(prod(a.shape.numpy()) for a in arrays if a is not None and a.dtype == ir.DataType.FLOAT)


def _int8_ops(model: ir.Model, quantized: Quantized | None) -> dict[str, int]:
    """How many ops of each type compute in int8; without a quantization, how many would."""
    if quantized is None:
        lowered = model.clone()
        lower(lowered)
        counted = [node.op_type for node in lowered.graph if node.op_type in ARITHMETIC]
    else:
        floats = float_nodes(quantized.model)
        counted = [n.op_type for n in quantized.model.graph if n.op_type in ARITHMETIC and n not in floats]
    return dict(sorted(Counter(counted).items()))


def _float_ops(quantized: Quantized | None) -> list[dict[str, str]]:
    nodes = [] if quantized is None else [n for n in float_nodes(quantized.model) if n.op_type in ARITHMETIC]
    return [{"node": str(node.name), "op": node.op_type, "module": module_path(node)} for node in nodes]
