"""Compare the files of a bundle with its float reference, on one data set."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bundle import Bundle, Manifest
from edgegap.check.accuracy import Row
from edgegap.check.findings import Findings, lint
from edgegap.check.identity import Identity
from edgegap.check.images import MAKE_ROOM, ImageSet
from edgegap.check.loading import input_grid, load_images, open_for
from edgegap.check.predict import OutputGrid, Party, Prediction, on_desktop, predict_on
from edgegap.check.record import record_of
from edgegap.check.runs import Run, further_runs, own_runs
from edgegap.check.settings import CheckSettings
from edgegap.check.sides import INT8, Comparer
from edgegap.check.unfinished import unfinished
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import DataError, InputError
from edgegap.progress import Progress
from edgegap.run import Result
from edgegap.run.devices import open_devices
from edgegap.run.local import DESKTOP

REFERENCE = "float.onnx"


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    Args:
        record: the JSON record, 'edgegap.check/1'.
        target: the device, as the record calls it.
        broken: identities in which an integer differs by more than its bound.
        notices: one line each on what a user should know.
    """

    record: dict[str, Any]
    target: str
    broken: tuple[Identity, ...]
    notices: tuple[str, ...]


def check(bundle: Bundle, settings: CheckSettings, progress: Progress) -> Checked:
    """Run every file of a bundle over a data set, on this machine and on a device, and compare.

    This machine always runs each file in its format's own runtime: the yardstick for everything else.

    Args:
        bundle: opened, its hashes verified.
        settings: what to do.
        progress: told how far it is.

    Raises:
        DataError: images that do not fit the bundle, labels outside its classes, a gate without labels.
        InputError: a bundle without the float reference, a call that does not say how to reach the device.
        RuntimeFailure: an artifact that a runtime cannot run.
        DeviceError: a device that is gone, and nobody else to do its part.
    """
    manifest = bundle.manifest
    if not any(entry.name == REFERENCE for entry in manifest.files):
        hint = "Export it with both formats: leave out --format."
        raise InputError(f"has no {REFERENCE} to compare with", where=str(bundle.path), hint=hint)
    target = settings.where.profile()
    own = sorted(own_runs(manifest.files, DESKTOP), key=lambda run: run.entry.name != REFERENCE)
    further = further_runs(manifest.files, settings.runtimes, target, elsewhere=settings.where.elsewhere)
    devices = open_devices(settings.where, len(further), settings.threads, progress) if further else []
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), passing_folder() as folder:
        source = open_for(bundle, settings.data, settings.classes, strict=settings.strict)
        source = source.take(settings.samples)
        images = load_images(bundle, source, folder / "images.npy", progress)
        labels = images.labels if (images.labels >= 0).all() else None
        _refuse_gate(settings, labels, manifest)
        parties = [on_desktop(_predictions(bundle, own, images, settings.threads))]
        if further:
            predictions = _predictions(bundle, further, images, settings.threads)
            parties.append(Party(predictions, devices, shards=max(1, len(settings.where.hosts))))
        with unfinished(bundle.path, resume=settings.resume) as kept:
            predicted = predict_on(parties, progress, folder=kept)
        results = [result for party in predicted for result in party.results]
        rows = [_row(manifest, run, result) for run, result in zip([*own, *further], results, strict=True)]
        runs = [*own, *further]
        alive = [device for device in devices if device not in predicted[-1].lost]
        identities = Comparer(bundle, images, alive, folder, progress).identities(runs, rows, len(own))
        reference, int8 = rows[0], next((row for row in rows if row.artifact == INT8), None)
        record = record_of(bundle, settings, rows, labels, identities)
        if int8 is not None:
            findings = Findings(bundle, images, reference, int8, folder, progress)
            record |= {"layers": findings.layers(), "maps": findings.maps(), "shift": findings.shift()}
        record["lint"] = lint(bundle, images, reference, labels, folder, progress)
    notices = [f"skipped an image: {why}" for why in source.skipped]
    for party in predicted:
        failed = {device.place: why for device, why in party.lost.items()}
        notices += [f"{place} failed, and others did its part: {why}" for place, why in failed.items()]
    if labels is None:
        notices.append("not every image has a label: agreement is reported, accuracy and drop are not")
    broken = tuple(identity for identity in identities if not identity.holds)
    place = further[-1].target if settings.where.elsewhere else DESKTOP
    return Checked(record, place, broken, (*notices, *record["lint"]))


def _predictions(bundle: Bundle, runs: Sequence[Run], images: ImageSet, threads: int) -> list[Prediction]:
    return [
        Prediction(
            bundle.file(run.entry.name), images, input_grid(bundle.manifest, run.entry), threads, runtime=run.runtime
        )
        for run in runs
    ]


def _refuse_gate(settings: CheckSettings, labels: NDArray[np.int64] | None, manifest: Manifest) -> None:
    if settings.max_drop_pp is None:
        return
    if labels is None:
        hint = "Give labelled images, or leave out --max-drop: agreement needs no labels."
        raise DataError("a drop in accuracy needs a label for every image", where=settings.data, hint=hint)
    if not any(entry.precision == "int8" for entry in manifest.files):
        raise InputError("--max-drop is about int8 files, which the bundle lacks", hint="Export with --int8.")


def _row(manifest: Manifest, run: Run, result: Result) -> Row:
    outputs = result.outputs.reshape(len(result.outputs), -1)
    name, target = run.entry.name, run.target
    if run.entry.precision == "float" or manifest.output_scale is None:
        if not np.isfinite(outputs).all():
            raise DataError("the float network gives NaN or infinity", where=name, hint="Check the data.")
        return Row(name, target, result, outputs, None)
    grid = OutputGrid(manifest.output_scale, manifest.output_zero_point)
    return Row(name, target, result, grid.integers(outputs), grid.scale)
