"""Measurements on a device: the tasks of run/bencher.py, and what they bring back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bench.artifacts import Artifact
from edgegap.bench.conditions import Sample
from edgegap.bench.figures import Times
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import DeviceError
from edgegap.run import steady
from edgegap.run.device import Device, Task
from edgegap.run.events import MAKE_ROOM, Event
from edgegap.run.job import Runtime
from edgegap.run.runner import sha256

_RUN = Path(steady.__file__).parent
_SCRIPTS = tuple(_RUN / f"{name}.py" for name in ("bencher", "runner", "environment", "steady", "conditions"))


@dataclass(frozen=True)
class Start:
    """What a fresh process needs for an artifact.

    Args:
        ready: the event.
        load_ms: to load it, the runtime being imported.
        first_ms: for the first inference.
        peak_rss_mib: the most memory, less what the imported runtime takes; None where the system does not tell.
    """

    ready: Event
    load_ms: float
    first_ms: float
    peak_rss_mib: float | None


@dataclass(frozen=True)
class Latency:
    """What artifacts need that took turns.

    Args:
        ready: the event.
        series: the time of each run, one array for each artifact.
        starts: when each turn began, int64 nanoseconds [rounds, artifacts].
        conversions_ms: median time from pixels to the input; None for an artifact without a table.
        samples: of the device's conditions.
    """

    ready: Event
    series: list[Times]
    starts: Times
    conversions_ms: list[float | None]
    samples: list[Sample]


def measure_start(device: Device, artifact: Artifact, runtime: Runtime, threads: int) -> Start:
    """Load an artifact in a process of its own and run it a few times.

    Raises:
        InputError: it has no fixed input of four sizes.
        DeviceError: and its kinds, such as a runtime that cannot run it.
    """
    task = _task([artifact], runtime, threads, {"measure": "start"})
    with disk_errors("the temporary folder", MAKE_ROOM), passing_folder() as folder:
        events = device.execute(task, folder)
    done = events["done"]
    kib = done["peak_rss_kib"]
    return Start(events["ready"], done["load_ms"], done["first_ms"], None if kib is None else kib / 2**10)


def measure_latency(
    device: Device,
    artifacts: Sequence[Artifact],
    runtime: Runtime,
    threads: int,
    on_seconds: Callable[[int, int], None],
    *,
    seconds: float,
    sustain: bool,
) -> Latency:
    """Let artifacts take turns in one process.

    Args:
        device: where.
        artifacts: that the runtime runs.
        runtime: which.
        threads: for its kernels.
        on_seconds: told how many seconds have passed, and how many there are at most.
        seconds: after which it ends.
        sustain: go on to the end of them, even when the medians are known.

    Raises:
        InputError, DeviceError: as `measure_start`.
    """
    task = _task(artifacts, runtime, threads, {"measure": "latency", "seconds": seconds, "sustain": sustain})

    def on_event(event: Event) -> None:
        if event["event"] == "progress":
            on_seconds(event["done"], event["total"])

    with disk_errors("the temporary folder", MAKE_ROOM), passing_folder() as folder:
        events = device.execute(task, folder, on_event)
        arrays = {entry["name"]: _array(folder, entry) for entry in events["done"]["files"]}
    conversions = iter(np.median(arrays["conversions"], axis=1) / 1e6 if arrays["conversions"].size else ())
    return Latency(
        ready=events["ready"],
        series=[arrays[field] for field in task.record["artifacts"]],
        starts=arrays["starts"],
        conversions_ms=[None if artifact.table is None else float(next(conversions)) for artifact in artifacts],
        samples=events["done"]["samples"],
    )


def _task(artifacts: Sequence[Artifact], runtime: Runtime, threads: int, measure: dict[str, Any]) -> Task:
    fields = ["artifact", *(f"artifact{k}" for k in range(1, len(artifacts)))]
    record = {
        **measure,
        "artifacts": fields,
        "tables": {field: _table(artifact.table) for field, artifact in zip(fields, artifacts, strict=True)},
        "threads": threads,
        "tensors": [],
        "batch": None,
        "optimized": False,
    }
    files = {field: artifact.path for field, artifact in zip(fields, artifacts, strict=True)}
    return Task(_SCRIPTS, files, runtime, record)


def _table(table: NDArray[Any] | None) -> dict[str, Any] | None:
    return None if table is None else {"dtype": table.dtype.name, "values": table.tolist()}


def _array(folder: Path, entry: dict[str, Any]) -> Times:
    path = folder / entry["file"]
    if sha256(path) != entry["sha256"]:
        raise DeviceError("differs from what was measured", where=str(path), hint="Run the bench again.")
    return np.fromfile(path, dtype=entry["dtype"]).reshape(entry["shape"])
