"""What a runner says, on the host's side: the same for every transport."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from edgegap.errors import DeviceError, DiskError, EdgeGapError, InputError, RuntimeFailure
from edgegap.run.job import Job, Result
from edgegap.run.runner import sha256

Event = dict[str, Any]
OnEvent = Callable[[Event], None]

OUT_OF_MEMORY = "Use fewer threads, a smaller batch, or a machine with more memory."
MAKE_ROOM = "Make room there, or point TMPDIR at a folder with more."


def follow(lines: Iterable[str], on_event: OnEvent | None) -> dict[str, Event]:
    """Read events as they come, and give the last one of each kind, by its name.

    Other lines are passed over: an interpreter may greet before the runner starts, and a killed runner may leave half
    an event.
    """
    last: dict[str, Event] = {}
    for line in lines:
        if line.startswith('{"event": ') and line.endswith("\n"):
            event: Event = json.loads(line)
            last[event["event"]] = event
            if on_event:
                on_event(event)
    return last


def failure(job: Job, events: dict[str, Event], returncode: int, stderr: str, where: str) -> EdgeGapError:
    """The exception for a runner that did not get to `done`.

    Args:
        job: what it ran.
        events: from `follow`.
        returncode: as subprocess gives it, or the shell's 128 + signal.
        stderr: all of it; the end is quoted.
        where: the place it ran at, in words.
    """
    tail = "\n".join([line for line in stderr.splitlines() if not line.startswith("INFO:")][-10:])
    if "error" in events:
        return reported(job, events["error"], tail, where)
    number = -returncode if returncode < 0 else returncode - 128
    if number == signal.SIGKILL:
        return RuntimeFailure("killed: probably out of memory", where=str(job.artifact), hint=OUT_OF_MEMORY)
    ended = f"died of {signal.Signals(number).name}" if number in set(signal.Signals) else "broke off"
    stage = "while running" if "ready" in events else "while loading"
    return RuntimeFailure(f"{job.runtime} {ended} {stage} it ({where})", where=str(job.artifact), hint=tail or None)


def reported(job: Job, error: Event, tail: str, where: str) -> EdgeGapError:
    """The exception for an `error` event."""
    kind, message, artifact = error["kind"], error["message"], str(job.artifact)
    place = error["where"] or artifact
    match kind:
        case "hash":
            return DeviceError(message, where=place, hint="It was changed since the job began: run it again.")
        case "import":
            hint = f"Install it there: pip install {job.runtime}"
            return RuntimeFailure(f"{job.runtime} cannot be imported: {message}", where=where, hint=hint)
        case "input":
            return InputError(message, where=place)
        case "memory":
            return RuntimeFailure(f"out of memory: {message}", where=place, hint=OUT_OF_MEMORY)
        case "disk":
            return DiskError(f"{message} (the outputs of {artifact})", where=place, hint=MAKE_ROOM)
    verb = "load" if kind == "load" else "run"
    return RuntimeFailure(f"{job.runtime} cannot {verb} it: {message}", where=place, hint=tail or None)


def collect(events: dict[str, Event], folder: Path) -> Result:
    """The result that `done` announced, from the files in `folder`.

    Raises:
        DeviceError: a file is not the one that the runner hashed.
    """
    ready, done = events["ready"], events["done"]
    arrays = {}
    for entry in done["files"]:
        path = folder / entry["file"]
        if sha256(path) != entry["sha256"]:
            raise DeviceError("differs from what the runner wrote", where=str(path), hint="Run the job again.")
        arrays[entry["name"]] = np.fromfile(path, dtype=entry["dtype"]).reshape(entry["shape"])
    return Result(
        outputs=arrays.pop(""),
        tensors=arrays,
        runtime=ready["runtime"],
        version=ready["version"],
        machine=ready["machine"],
        threads=ready["threads"],
        session=ready["session"],
        undelegated=ready["undelegated"],
        optimized=(folder / done["optimized"]).read_bytes() if done["optimized"] else None,
        load_ms=ready["load_ms"],
        seconds_per_image=done["seconds_per_image"],
    )
