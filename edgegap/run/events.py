"""What a runner says, on the host's side: the same for every transport."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from edgegap.errors import DeviceError, DiskError, EdgeGapError, InputError, RuntimeFailure

if TYPE_CHECKING:  # a device's module needs Event
    from edgegap.run.device import Task
    from edgegap.run.process import Ended

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


def failure(task: Task, ended: Ended, place: str) -> EdgeGapError:
    """The exception for a task that did not get to `done`.

    Args:
        task: what ran.
        ended: how; its returncode is as subprocess gives it, or the shell's 128 + signal.
        place: where it ran, in words.
    """
    artifact = str(task.files["artifact"])
    tail = "\n".join([line for line in ended.stderr.splitlines() if not line.startswith("INFO:")][-10:])
    if "error" in ended.events:
        return reported(task, ended.events["error"], tail, place)
    number = -ended.returncode if ended.returncode < 0 else ended.returncode - 128
    if number == signal.SIGKILL:
        return RuntimeFailure(f"killed: probably out of memory ({place})", where=artifact, hint=OUT_OF_MEMORY)
    died = f"died of {signal.Signals(number).name}" if number in set(signal.Signals) else "broke off"
    stage = "while running" if "ready" in ended.events else "while loading"
    return RuntimeFailure(f"{task.runtime} {died} {stage} it ({place})", where=artifact, hint=tail or None)


def reported(task: Task, error: Event, tail: str, place: str) -> EdgeGapError:
    """The exception for an `error` event."""
    kind, message, artifact = error["kind"], error["message"], str(task.files["artifact"])
    where = error["where"] or artifact
    match kind:
        case "hash":
            return DeviceError(f"{message} ({place})", where=where, hint="It was changed since: run it again.")
        case "import":
            hint = f"Install it there: pip install {task.runtime}"
            return RuntimeFailure(f"{task.runtime} cannot be imported: {message}", where=place, hint=hint)
        case "input":
            return InputError(message, where=where)
        case "memory":
            return RuntimeFailure(f"out of memory: {message}", where=where, hint=OUT_OF_MEMORY)
        case "disk":
            return DiskError(
                f"{message} (the outputs of {artifact}, {place})",
                where=where,
                hint="Make room there; on this machine TMPDIR can name another folder.",
            )
    verb = "load" if kind == "load" else "run"
    return RuntimeFailure(f"{task.runtime} cannot {verb} it: {message}", where=where, hint=tail or None)
