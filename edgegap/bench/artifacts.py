"""What is measured: the files of a bundle, or files as they are, and the runtimes that run them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bundle import MANIFEST, Bundle, FileEntry
from edgegap.check.feed import feed
from edgegap.check.images import ImageSet
from edgegap.check.loading import input_grid
from edgegap.check.runs import EXACT, READS
from edgegap.data import Preprocessing
from edgegap.errors import InputError
from edgegap.graph.macs import count_macs
from edgegap.run.job import Runtime
from edgegap.run.target import Target


@dataclass(frozen=True)
class Artifact:
    """A file to measure.

    Args:
        name: in records.
        path: of an .onnx or .tflite file.
        table: [C, 256] in the artifact's input type, what every pixel becomes; None where nobody knows.
        int8_macs: multiply-accumulates of one inference, if they are in int8; None where nobody knows.
    """

    name: str
    path: Path
    table: NDArray[Any] | None = None
    int8_macs: int | None = None

    def runs_in(self, runtime: Runtime) -> bool:
        """Whether it is a file for that runtime."""
        return self.path.suffix == f".{READS[runtime]}"


def bundle_artifacts(bundle: Bundle) -> list[Artifact]:
    """The files of a bundle, float before int8, so that int8 is measured against float."""
    entries = sorted(bundle.manifest.files, key=lambda entry: entry.precision)
    network = next((bundle.file(entry.name) for entry in entries if entry.format == "onnx"), None)
    macs = None if network is None else count_macs(network)
    return [
        Artifact(
            entry.name,
            bundle.file(entry.name),
            _table(bundle, entry),
            macs if entry.precision == "int8" else None,
        )
        for entry in entries
    ]


def _table(bundle: Bundle, entry: FileEntry) -> NDArray[Any] | None:
    """What a file's pixels become; None where the data comes preprocessed."""
    manifest = bundle.manifest
    if manifest.preprocessing is None:
        return None
    channels, height, width = manifest.input_shape[1:]
    table = Preprocessing.from_json(manifest.preprocessing).table(channels)
    no_images = ImageSet(bundle.path, np.empty(0, np.int64), (), table, (channels, height, width))
    return feed(no_images, bundle.file(entry.name), input_grid(manifest, entry)).table


def file_artifacts(paths: Sequence[Path]) -> list[Artifact]:
    """Files that need not belong to a bundle.

    Raises:
        InputError: a file that is missing, or is neither .onnx nor .tflite.
    """
    for path in paths:
        if path.is_dir():
            what = "is a folder" if len(paths) == 1 else "is one folder of several arguments"
            hint = f"Give one bundle (a folder with {MANIFEST}), or .onnx and .tflite files."
            raise InputError(what, where=str(path), hint=hint)
        if not path.is_file():
            raise InputError(
                "there is no such file", where=str(path), hint="Give a bundle, or .onnx and .tflite files."
            )
        if path.suffix[1:] not in READS.values():
            raise InputError("is neither .onnx nor .tflite", where=str(path), hint="The suffix decides the runtime.")
    return [Artifact(str(path), path) for path in paths]


def choose_runtimes(artifacts: Sequence[Artifact], wanted: Sequence[Runtime], target: Target) -> list[Runtime]:
    """The runtimes to measure in.

    Args:
        artifacts: what to measure.
        wanted: by the user; where there is none, the target's own of each format.
        target: the device.

    Raises:
        InputError: a runtime that the target lacks or that reads none of the files, or files that nothing there reads.
    """
    hint = f"It has {', '.join(target.runtimes)}."
    for runtime in wanted:
        if runtime not in target.runtimes:
            raise InputError(f"{target.name} has no {runtime}", where="--runtime", hint=hint)
        if not any(artifact.runs_in(runtime) for artifact in artifacts):
            what = f"{runtime} reads .{READS[runtime]} files, and there is none"
            raise InputError(what, where="--runtime", hint="Give such a file, or leave --runtime out.")
    own: list[Runtime] = [runtime for runtime in EXACT if runtime in target.runtimes] or ["tflite-runtime"]
    chosen = [run for run in dict.fromkeys(wanted or own) if any(artifact.runs_in(run) for artifact in artifacts)]
    if not chosen:
        names = ", ".join(artifact.name for artifact in artifacts)
        raise InputError(f"{target.name} has no runtime for {names}", where="--target", hint=hint)
    return chosen
