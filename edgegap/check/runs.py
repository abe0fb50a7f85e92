"""Which file runs in which runtime: on this machine, and where else a user wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgegap.bundle import FileEntry
from edgegap.errors import InputError
from edgegap.run.job import Runtime
from edgegap.run.local import DESKTOP
from edgegap.run.target import Target

READS: dict[Runtime, str] = {"onnxruntime": "onnx", "ai-edge-litert": "tflite", "tflite-runtime": "tflite"}
"""The format that each runtime reads."""

EXACT: tuple[Runtime, ...] = ("onnxruntime", "ai-edge-litert")
"""The runtimes that give the same integers; each is its format's own. The other one's kernels round twice."""


@dataclass(frozen=True)
class Run:
    """A file in a runtime.

    Args:
        entry: the file.
        runtime: reads its format.
        target: the profile of the device that it runs on, or words that tell it from this machine.
    """

    entry: FileEntry
    runtime: Runtime
    target: str

    @property
    def exact(self) -> bool:
        """Whether its integers are those that the other runtime gives, where the bundle is exact."""
        return self.runtime in EXACT


def own_runs(files: Sequence[FileEntry], target: str) -> list[Run]:
    """Each file in its format's own runtime."""
    return [Run(entry, runtime, target) for entry in files for runtime in EXACT if READS[runtime] == entry.format]


def further_runs(
    files: Sequence[FileEntry], requested: Sequence[Runtime], target: Target, *, elsewhere: bool
) -> list[Run]:
    """What runs beside `own_runs` of this machine.

    Args:
        files: of the bundle.
        requested: the runtimes that a user named; the target's own where there are none.
        target: the device.
        elsewhere: whether it is another device than this machine.

    Raises:
        InputError: a runtime that the target lacks, or that reads none of the files.
    """
    for runtime in requested:
        if runtime not in target.runtimes:
            hint = f"It has {', '.join(target.runtimes)}."
            raise InputError(f"{target.name} has no {runtime}", where="--runtime", hint=hint)
        if not any(entry.format == READS[runtime] for entry in files):
            hint = f"Export the bundle with --format {READS[runtime]}."
            raise InputError(f"no file of the bundle is for {runtime}", where="--runtime", hint=hint)
    if not elsewhere:
        wanted: Sequence[Runtime] = [runtime for runtime in requested if runtime not in EXACT]
    else:
        own = [runtime for runtime in EXACT if runtime in target.runtimes]
        wanted = requested or own or ["tflite-runtime"]
    if elsewhere:  # a device gets single files, and has no room for weights of 2 GiB
        files = [entry for entry in files if entry.weights_sha256 is None]
    name = f"{DESKTOP} over ssh" if elsewhere and target.name == DESKTOP else target.name
    return [Run(entry, runtime, name) for entry in files for runtime in wanted if READS[runtime] == entry.format]
