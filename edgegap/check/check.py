"""Compare the files of a bundle with its float reference, on one data set."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bundle import Bundle, FileEntry, Manifest
from edgegap.check.accuracy import Row, gate_of, reference_of, result_of
from edgegap.check.environment import environment
from edgegap.check.findings import Findings, lint
from edgegap.check.identity import Identity, compare
from edgegap.check.images import MAKE_ROOM
from edgegap.check.loading import input_grid, load_images, open_for
from edgegap.check.per_class import confusions, per_class
from edgegap.check.predict import OutputGrid, Prediction, predict
from edgegap.check.unfinished import unfinished
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import DataError, InputError
from edgegap.progress import Progress
from edgegap.run import Result

REFERENCE = "float.onnx"
INT8 = "int8.onnx"
DESKTOP = "desktop"
_CONFUSIONS = 10


@dataclass(frozen=True)
class CheckSettings:
    """What a check is asked for.

    Args:
        data: DATA.
        classes: a file with the order of the classes; the bundle's own where None.
        samples: how many images, 0 for all.
        strict: a corrupt image is an error.
        threads: for each runtime.
        max_drop_pp: the gate, percentage points; None for none.
        resume: go on where an interrupted check of the same images stopped.
    """

    data: str
    classes: Path | None = None
    samples: int = 0
    strict: bool = False
    threads: int = 1
    max_drop_pp: float | None = None
    resume: bool = False


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    Args:
        record: the JSON record, 'edgegap.check/1'.
        identities_hold: whether no integer differs by more than its bound.
        notices: one line each on what a user should know.
    """

    record: dict[str, Any]
    identities_hold: bool
    notices: tuple[str, ...]


def check(bundle: Bundle, settings: CheckSettings, progress: Progress) -> Checked:
    """Run every file of a bundle over a data set on this machine, and compare.

    Args:
        bundle: opened, its hashes verified.
        settings: what to do.
        progress: told how far it is.

    Raises:
        DataError: images that do not fit the bundle, labels outside its classes, a gate without labels.
        InputError: a bundle without the float reference.
        RuntimeFailure: an artifact that a runtime cannot run.
    """
    manifest = bundle.manifest
    entries = {entry.name: entry for entry in manifest.files}
    if REFERENCE not in entries:
        hint = "Export it with both formats: leave out --format."
        raise InputError(f"has no {REFERENCE} to compare with", where=str(bundle.path), hint=hint)
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), passing_folder() as folder:
        source = open_for(bundle, settings.data, settings.classes, folder, strict=settings.strict)
        source = source.take(settings.samples)
        images = load_images(bundle, source, folder / "images.npy", progress)
        labels = images.labels if (images.labels >= 0).all() else None
        _refuse_gate(settings, labels, entries)
        predictions = [
            Prediction(bundle.file(entry.name), images, input_grid(manifest, entry), settings.threads)
            for entry in manifest.files
        ]
        with unfinished(bundle.path, resume=settings.resume) as kept:
            results = predict(predictions, progress, folder=kept)
        rows = {
            entry.name: _row(manifest, entry, result) for entry, result in zip(manifest.files, results, strict=True)
        }
        identities = _identities(manifest, entries, rows)
        record = _record(bundle, settings, rows, labels, identities)
        if INT8 in rows:
            findings = Findings(bundle, images, rows[REFERENCE], rows[INT8], folder, progress)
            record |= {"layers": findings.layers(), "maps": findings.maps(), "shift": findings.shift()}
        record["lint"] = lint(bundle, images, rows[REFERENCE], labels, folder, progress)
    notices = [f"skipped an image: {why}" for why in source.skipped]
    if labels is None:
        notices.append("not every image has a label: agreement is reported, accuracy and drop are not")
    return Checked(record, all(identity.holds for identity in identities), (*notices, *record["lint"]))


def _refuse_gate(settings: CheckSettings, labels: NDArray[np.int64] | None, entries: dict[str, FileEntry]) -> None:
    if settings.max_drop_pp is None:
        return
    if labels is None:
        hint = "Give labelled images, or leave out --max-drop: agreement needs no labels."
        raise DataError("a drop in accuracy needs a label for every image", where=settings.data, hint=hint)
    if INT8 not in entries:
        raise InputError(f"--max-drop is about {INT8}, which the bundle lacks", hint="Export with --int8.")


def _record(
    bundle: Bundle,
    settings: CheckSettings,
    rows: dict[str, Row],
    labels: NDArray[np.int64] | None,
    identities: list[Identity],
) -> dict[str, Any]:
    """The record as far as the answers alone tell it."""
    manifest, reference = bundle.manifest, rows[REFERENCE]
    results = [result_of(row, reference, labels, DESKTOP) for row in rows.values() if row is not reference]
    n = len(reference.logits)
    gate = None
    if settings.max_drop_pp is not None:
        gate = gate_of(next(r for r in results if r["artifact"] == INT8), n, settings.max_drop_pp)
    int8 = rows.get(INT8)
    classes = [] if int8 is None else per_class(labels, reference.predictions, int8.predictions, manifest.classes)
    confused = [] if int8 is None else confusions(labels, reference.predictions, int8.predictions, manifest.classes)
    return {
        "schema": "edgegap.check/1",
        "n": n,
        "data": settings.data,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle_model": manifest.model,
        "head": manifest.head,
        "classes": manifest.classes,
        "exactness": manifest.exactness,
        "reference": reference_of(reference, labels),
        "results": results,
        "identity": [identity.to_json() for identity in identities],
        "gate": gate,
        "per_class": [asdict(row) for row in classes],
        "confusions": [asdict(row) for row in confused[:_CONFUSIONS]],
        "layers": None,
        "maps": None,
        "shift": None,
        "environment": {
            **asdict(environment()),
            "runtimes": {row.result.runtime: row.result.version for row in rows.values()},
            "session": [option for row in rows.values() for option in row.result.session],
        },
        "files": [asdict(entry) for entry in manifest.files],
        "commands": [_command(bundle, settings)],
    }


def _command(bundle: Bundle, settings: CheckSettings) -> str:
    words = ["edgegap", "check", str(bundle.path), "--data", settings.data]
    words += ["--classes", str(settings.classes)] if settings.classes else []
    words += ["--samples", str(settings.samples)] if settings.samples else []
    words += ["--max-drop", f"{settings.max_drop_pp:g}"] if settings.max_drop_pp is not None else []
    return shlex.join(words)


def _row(manifest: Manifest, entry: FileEntry, result: Result) -> Row:
    outputs = result.outputs.reshape(len(result.outputs), -1)
    if entry.precision == "float" or manifest.output_scale is None or manifest.output_zero_point is None:
        if not np.isfinite(outputs).all():
            raise DataError("the float network gives NaN or infinity", where=entry.name, hint="Check the data.")
        return Row(entry.name, result, outputs, None)
    grid = OutputGrid(manifest.output_scale, manifest.output_zero_point)
    return Row(entry.name, result, grid.integers(outputs), grid.scale)


def _identities(manifest: Manifest, entries: dict[str, FileEntry], rows: dict[str, Row]) -> list[Identity]:
    pair = [name for name, entry in entries.items() if entry.precision == "int8"]
    if len(pair) != 2:
        return []
    a, b = pair
    runtimes = (rows[a].result.runtime, rows[b].result.runtime)
    bound = 0 if manifest.exactness == "exact" else None
    return [compare((a, b), runtimes, (rows[a].logits, rows[b].logits), target=DESKTOP, bound_lsb=bound)]
