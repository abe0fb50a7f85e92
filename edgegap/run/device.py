"""Where a task runs: what this machine, a board behind ssh and an emulated board have in common."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256 as hasher
from pathlib import Path
from typing import Any, Protocol

from edgegap.errors import DataError, ModelError
from edgegap.run.events import Event, OnEvent
from edgegap.run.runner import sha256


@dataclass(frozen=True)
class Task:
    """Work for a device, as plain files.

    Args:
        scripts: Python files that lie side by side where they run; the first is run, as `python -I FIRST job.json`.
        files: what they read, by its field in job.json, where it becomes {path, sha256, activation}.
        runtime: the runtime they import, named as pip names it: it decides the environment.
        record: the rest of job.json.
    """

    scripts: tuple[Path, ...]
    files: dict[str, Path]
    runtime: str
    record: dict[str, Any]

    def hashes(self) -> dict[str, str]:
        """The sha256 of each of `files`, by its field.

        Raises:
            ModelError: the artifact cannot be read.
            DataError: another file cannot be read.
        """
        found = {}
        for field, path in self.files.items():
            try:
                found[field] = sha256(path)
            except OSError as error:
                kind = ModelError if field == "artifact" else DataError
                raise kind(f"cannot be read: {error.strerror}", where=str(path)) from error
        return found

    def key(self) -> str:
        """A name that the same work has again, and no other: over scripts, files and record."""
        parts = [sorted(self.hashes().items()), [sha256(path) for path in self.scripts], self.runtime, self.record]
        return hasher(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def text(self, paths: dict[str, str] | None = None) -> str:
        """The text of job.json.

        Args:
            paths: where each of `files` lies on the device, absolute or beside job.json; where it lies here if None.
        """
        places = paths or {field: str(path.resolve()) for field, path in self.files.items()}
        entries = {
            field: {"path": places[field], "sha256": digest, "activation": _activation(self.files[field])}
            for field, digest in self.hashes().items()
        }
        return json.dumps({**entries, "runtime": self.runtime, **self.record})


def _activation(file: Path) -> str | None:
    """The type of activations in an .onnx file, which ONNX Runtime's options depend on; None for other files."""
    if file.suffix != ".onnx":
        return None
    from edgegap.quantize.signed import activation_of  # noqa: PLC0415  # imports onnx: not with edgegap.run

    return activation_of(file)


class Device(Protocol):
    """A place that runs tasks, one at a time."""

    @property
    def target(self) -> str:
        """The name of its profile."""

    @property
    def place(self) -> str:
        """What messages and records call it."""

    def execute(self, task: Task, folder: Path, on_event: OnEvent | None = None) -> dict[str, Event]:
        """Run a task to its end and give the last event of each kind, by its name.

        Args:
            task: what to run.
            folder: on this machine; the files that the `done` event names lie in it afterwards.
            on_event: called with each event as it comes.

        The same task in the same folder, after it was cut off, goes on where it stopped (runner.py: done.txt).

        Raises:
            InputError: what the task asks for does not fit the artifact, or a file cannot be read.
            DeviceError: and its kinds.
        """

    def stop(self) -> None:
        """End what runs and refuse further tasks; called from another thread."""
