"""The transport to this machine: a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edgegap.errors import DiskError, RuntimeFailure
from edgegap.run.events import MAKE_ROOM, Event, OnEvent, collect, failure, follow
from edgegap.run.job import Job, Result

RUNNER = Path(__file__).with_name("runner.py")


def run_local(job: Job, on_event: OnEvent | None = None, *, python: Sequence[str] = (sys.executable,)) -> Result:
    """Run a job on this machine, in a process that cannot outlive the call.

    Args:
        job: what to run.
        on_event: called with each event as it comes (their fields: the docstring of runner.py).
        python: the interpreter's command line; another environment's for a runtime that lives there.

    Raises:
        ModelError: the artifact cannot be read.
        DataError: the inputs cannot be read.
        InputError: images, table, batch or tensors do not fit the artifact.
        RuntimeFailure: the runtime is missing, refused the artifact, or died.
        DiskError: no room or no permission in the temporary directory.
        DeviceError: a file changed while the job ran.
    """
    text = job.to_json()
    with _disk_errors():
        temporary = tempfile.TemporaryDirectory(prefix="edgegap-")
    with temporary as name:
        folder = Path(name)
        with _disk_errors():
            (folder / "job.json").write_text(text, encoding="utf-8")
        events = _run(job, folder, on_event, python)
        return collect(events, folder)


def _run(job: Job, folder: Path, on_event: OnEvent | None, python: Sequence[str]) -> dict[str, Event]:
    """The events of a job that was done."""
    with _disk_errors():
        stderr = open(folder / "stderr.txt", "w+", encoding="utf-8", errors="replace")  # noqa: SIM115  (closed below)
    try:
        process = subprocess.Popen(  # noqa: S603  (the command is the caller's interpreter and our file)
            [*python, "-I", str(RUNNER), str(folder / "job.json")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C in the terminal reaches this process alone, which then ends the runner
        )
    except OSError as error:
        stderr.close()
        raise RuntimeFailure(f"cannot be started: {error.strerror}", where=python[0]) from error
    with stderr, process:
        try:
            events = follow(process.stdout or (), on_event)
            returncode = process.wait()
        finally:
            process.kill()
        if "done" not in events or returncode:
            stderr.seek(0)
            raise failure(job, events, returncode, stderr.read(), where=python[0])
    return events


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or tempfile.gettempdir()
        raise DiskError(error.strerror or str(error), where=where, hint=MAKE_ROOM) from error
