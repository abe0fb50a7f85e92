"""This machine as a device: each task in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edgegap.disk import disk_errors
from edgegap.run.device import Task
from edgegap.run.environments import python_for
from edgegap.run.events import MAKE_ROOM, Event, OnEvent, failure
from edgegap.run.process import RunnerProcess

DESKTOP = "desktop"


class Local:
    """A device that runs tasks here.

    Args:
        target: the name of its profile.
        place: what messages and records call it.
        python: gives the command line of an interpreter that can import a runtime.
    """

    def __init__(
        self,
        *,
        target: str = DESKTOP,
        place: str = "this machine",
        python: Callable[[str], Sequence[str]] = python_for,
    ) -> None:
        self.target = target
        self.place = place
        self._python = python
        self._process = RunnerProcess()

    def execute(self, task: Task, folder: Path, on_event: OnEvent | None = None) -> dict[str, Event]:
        """Run a task; see `Device.execute`."""
        job = folder / "job.json"
        text = task.text()
        with disk_errors(folder, MAKE_ROOM):
            job.write_text(text, encoding="utf-8")
        python = self._python(task.runtime)
        ended = self._process.run([*python, "-I", str(task.scripts[0].resolve()), str(job)], on_event)
        if "done" not in ended.events or ended.returncode:
            raise failure(task, ended, self.place)
        return ended.events

    def stop(self) -> None:
        """End what runs; see `Device.stop`."""
        self._process.stop()
