"""A process that speaks events, and that another thread can end."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from edgegap.disk import disk_errors
from edgegap.errors import DeviceError, RuntimeFailure
from edgegap.run.events import MAKE_ROOM, Event, OnEvent, follow


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        events: the last of each kind, by its name.
        returncode: as subprocess gives it.
        stderr: all it wrote there.
    """

    events: dict[str, Event]
    returncode: int
    stderr: str


class RunnerProcess:
    """Runs commands one after another; none outlives the call that started it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(self, command: Sequence[str], on_event: OnEvent | None = None) -> Ended:
        """Run a command to its end.

        Args:
            command: its words; no shell sees them.
            on_event: called with each event that it writes to stdout.

        Raises:
            RuntimeFailure: it cannot be started.
            DeviceError: `stop` was called.
            DiskError: no room in the temporary folder.
        """
        with disk_errors(tempfile.gettempdir(), MAKE_ROOM):
            errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  (closed below)
        with errors, self._start(command, errors) as process:
            try:
                events = follow(process.stdout or (), on_event)
                returncode = process.wait()
            finally:
                process.kill()
            errors.seek(0)
            return Ended(events, returncode, errors.read())

    def stop(self) -> None:
        """End the running command, and refuse further ones."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def _start(self, command: Sequence[str], errors: IO[str]) -> subprocess.Popen[str]:
        with self._lock:
            if self._stopped:
                raise DeviceError("stopped")
            try:
                self._process = subprocess.Popen(  # noqa: S603  (our own files, and an interpreter of our choice)
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    encoding="utf-8",
                    start_new_session=True,  # Ctrl-C in the terminal reaches this process alone, which then ends it
                )
            except OSError as error:
                raise RuntimeFailure(f"cannot be started: {error.strerror}", where=command[0]) from error
            return self._process
