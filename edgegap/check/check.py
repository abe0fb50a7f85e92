"""Compare the files of a bundle with its float reference, on one data set."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bundle import Bundle, FileEntry, Manifest
from edgegap.check.identity import Identity, compare
from edgegap.check.images import MAKE_ROOM, ImageSet, save_images
from edgegap.check.predict import OutputGrid, predict
from edgegap.data import DataSource, Preprocessing, open_data
from edgegap.disk import disk_errors
from edgegap.errors import BundleError, DataError, InputError
from edgegap.progress import Progress
from edgegap.quantize.parameters import Grid
from edgegap.run import Result

REFERENCE = "float.onnx"
DESKTOP = "desktop"


@dataclass(frozen=True)
class Compared:
    """One artifact against the float reference.

    Args:
        artifact: the file.
        runtime: that it ran in.
        target: that it ran on.
        top1_pct: images whose largest output is the label's; None without labels.
        drop_pp: the reference's top-1 less this one's, percentage points; None without labels.
        agreement_pct: images whose largest output is the reference's.
        lost: images that the reference has right and this one wrong; None without labels.
        won: the other way round.
    """

    artifact: str
    runtime: str
    target: str
    top1_pct: float | None
    drop_pp: float | None
    agreement_pct: float
    lost: int | None
    won: int | None


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


def check(
    bundle: Bundle,
    data: str,
    progress: Progress,
    *,
    classes: Path | None = None,
    samples: int = 0,
    strict: bool = False,
    threads: int = 1,
) -> Checked:
    """Run every file of a bundle over a data set on this machine, and compare.

    Args:
        bundle: opened, its hashes verified.
        data: DATA.
        progress: told how far it is.
        classes: a file with the order of the classes; the bundle's own where None.
        samples: how many images, 0 for all.
        strict: a corrupt image is an error.
        threads: for each runtime.

    Raises:
        DataError: images that do not fit the bundle, labels outside its classes.
        BundleError: a bundle without the float reference.
        RuntimeFailure: an artifact that a runtime cannot run.
    """
    manifest = bundle.manifest
    entries = {entry.name: entry for entry in manifest.files}
    if REFERENCE not in entries:
        hint = "Export it with both formats: leave out --format."
        raise InputError(f"has no {REFERENCE} to compare with", where=str(bundle.path), hint=hint)
    record = manifest.preprocessing
    preprocessing = None if record is None else Preprocessing.from_json(record)
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), tempfile.TemporaryDirectory(prefix="edgegap-") as folder:
        source = _open(data, classes, manifest, Path(folder), strict=strict).take(samples)
        images = save_images(source, preprocessing, Path(folder) / "images.npy", progress)
        _fits(manifest, images, source, data)
        results = {
            name: predict(bundle.file(name), images, progress, input_grid=_input_grid(manifest, entry), threads=threads)
            for name, entry in entries.items()
        }
    rows = {name: _logits(manifest, entries[name], result) for name, result in results.items()}
    identities = _identities(manifest, entries, results, rows)
    labels = images.labels if (images.labels >= 0).all() else None
    checked = {
        "schema": "edgegap.check/1",
        "n": len(images),
        "data": data,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "bundle_model": manifest.model,
        "exactness": manifest.exactness,
        "reference": {
            "artifact": REFERENCE,
            "runtime": results[REFERENCE].runtime,
            "top1_pct": _top1(rows[REFERENCE], labels),
        },
        "results": [
            asdict(_compare(name, results[name], rows[name], rows[REFERENCE], labels))
            for name in rows
            if name != REFERENCE
        ],
        "identity": [identity.to_json() for identity in identities],
        "runtimes": {result.runtime: result.version for result in results.values()},
        "session": [option for result in results.values() for option in result.session],
        "files": [asdict(entry) for entry in manifest.files],
    }
    notices = [f"skipped an image: {why}" for why in source.skipped]
    if labels is None:
        notices.append("not every image has a label: agreement is reported, accuracy and drop are not")
    return Checked(checked, all(identity.holds for identity in identities), tuple(notices))


def _open(data: str, classes: Path | None, manifest: Manifest, folder: Path, *, strict: bool) -> DataSource:
    if classes is None and manifest.classes is not None:
        # A folder of a few classes must number them as the network does.
        classes = folder / "classes.txt"
        classes.write_text("\n".join(manifest.classes) + "\n", encoding="utf-8")
    return open_data(data, classes=classes, strict=strict)


def _fits(manifest: Manifest, images: ImageSet, source: DataSource, data: str) -> None:
    wanted = manifest.input_shape[1:]
    if images.shape != wanted:
        hint = "Set resize, crop and channels in the preprocessing at export, or give images of that size."
        raise DataError(f"gives C,H,W = {images.shape}, the bundle takes {wanted}", where=data, hint=hint)
    largest = int(images.labels.max(initial=-1))
    if largest >= manifest.outputs:
        k = int(images.labels.argmax())
        name = f", '{source.classes[largest]}'" if source.classes is not None else ""
        raise DataError(
            f"the label {largest}{name} of {images.names[k]} is outside the network's {manifest.outputs} classes",
            where=data,
            hint="Is this the data that the network was trained for? --classes FILE gives the order of its classes.",
        )


def _input_grid(manifest: Manifest, entry: FileEntry) -> Grid | None:
    """The grid of the integers that a file takes; None where it takes floats."""
    if entry.precision == "float" or manifest.io != "int8":
        return None
    if manifest.input_scale is None or manifest.input_zero_point is None:
        raise BundleError("does not say what integers its int8 files take", hint="Export the bundle again.")
    return Grid(manifest.input_scale, manifest.input_zero_point + 128)


def _logits(manifest: Manifest, entry: FileEntry, result: Result) -> NDArray[np.generic]:
    """Outputs [n, classes] whose order is that of the logits: float32, or signed integers of an int8 file."""
    outputs = result.outputs.reshape(len(result.outputs), -1)
    if entry.precision == "float" or manifest.output_scale is None or manifest.output_zero_point is None:
        if not np.isfinite(outputs).all():
            raise DataError("the float network gives NaN or infinity", where=entry.name, hint="Check the data.")
        return outputs
    return OutputGrid(manifest.output_scale, manifest.output_zero_point).integers(outputs)


def _identities(
    manifest: Manifest, entries: dict[str, FileEntry], results: dict[str, Result], rows: dict[str, NDArray[Any]]
) -> list[Identity]:
    pair = [name for name, entry in entries.items() if entry.precision == "int8"]
    if len(pair) != 2:
        return []
    a, b = pair
    bound = 0 if manifest.exactness == "exact" else None
    return [compare((a, b), (results[a], results[b]), (rows[a], rows[b]), target=DESKTOP, bound_lsb=bound)]


def _top1(logits: NDArray[Any], labels: NDArray[np.int64] | None) -> float | None:
    return None if labels is None else 100 * float((logits.argmax(axis=1) == labels).mean())


def _compare(
    name: str,
    result: Result,
    logits: NDArray[Any],
    reference: NDArray[Any],
    labels: NDArray[np.int64] | None,
) -> Compared:
    mine, theirs = logits.argmax(axis=1), reference.argmax(axis=1)
    compared = Compared(name, result.runtime, DESKTOP, None, None, 100 * float((mine == theirs).mean()), None, None)
    if labels is None:
        return compared
    right, was_right = mine == labels, theirs == labels
    lost, won = int((was_right & ~right).sum()), int((right & ~was_right).sum())
    return replace(
        compared, top1_pct=100 * float(right.mean()), drop_pp=100 * (lost - won) / len(labels), lost=lost, won=won
    )
