"""Disk trouble as EdgeGAP's own error, and folders that no interrupt leaves behind."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edgegap.errors import DiskError


@contextmanager
def disk_errors(where: Path | str, hint: str) -> Iterator[None]:
    """Turn an OSError (no space, no permission) inside the block into a DiskError.

    Args:
        where: what to name when the error names no file itself.
        hint: what to do about it.
    """
    try:
        yield
    except OSError as error:
        place = str(error.filename or where)
        raise DiskError(error.strerror or str(error), where=place, hint=hint) from error


@contextmanager
def passing_folder(beside: Path | None = None) -> Iterator[Path]:
    """A new, empty folder that is gone after the block, whatever ends it.

    Args:
        beside: make it next to this path, on the same file system and hidden; in the system's temporary folder if None.

    Raises:
        OSError: no room, no permission.
    """
    name = {"prefix": "edgegap-"}
    if beside is not None:
        name = {"prefix": f".{beside.name}.", "suffix": ".partial", "dir": str(beside.parent)}
    with ExitStack() as stack:
        with _uninterrupted():
            folder = tempfile.TemporaryDirectory(**name, ignore_cleanup_errors=True)
            stack.callback(_remove, folder)
        yield Path(folder.name)


def _remove(folder: tempfile.TemporaryDirectory[str]) -> None:
    with _uninterrupted():
        folder.cleanup()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off SIGINT and SIGTERM to the end of the block.

    A folder that exists before anybody knows its name, or of which only a half was removed, would stay behind.
    """
    if threading.current_thread() is not threading.main_thread():  # signals are handled in the main thread only
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, lambda which, _: came.append(which))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
