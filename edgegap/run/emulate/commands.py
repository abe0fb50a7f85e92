"""Debian's and Python's own tools as parts of the set-up: what they fail of becomes EdgeGAP's error."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence

from edgegap.cache import MAKE_ROOM, cache
from edgegap.errors import DeviceError, DiskError

_NO_ROOM = ("No space left on device", "Disk quota exceeded", "enough free space")
"""As the C library says it, and as apt does."""


def run(
    doing: str,
    command: Sequence[str],
    *,
    environment: dict[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Run a command that writes to the cache to its end, and give what it wrote to stdout.

    Args:
        doing: what for, in words that follow "cannot".
        command: its words; no shell sees them.
        environment: variables to add.
        on_line: called with each line of stdout as it comes.

    Raises:
        DiskError: it ran out of room.
        DeviceError: it is missing, or failed for another reason.
    """
    lines = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        try:
            process = subprocess.Popen(  # noqa: S603  (our own commands and files)
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, "LC_ALL": "C", **(environment or {})},
            )
        except OSError as error:
            raise DeviceError(f"cannot {doing}: {error.strerror}", where=command[0]) from error
        with process:
            try:
                for line in process.stdout or ():
                    lines.append(line)
                    if on_line:
                        on_line(line)
                status = process.wait()
            finally:
                process.kill()
        errors.seek(0)
        said = errors.read()
    if status:
        tail = "\n".join((said.strip() or "".join(lines).strip()).splitlines()[-5:])
        if any(words in tail for words in _NO_ROOM):
            raise DiskError(f"cannot {doing}: no space left", where=str(cache("emulator")), hint=MAKE_ROOM)
        raise DeviceError(f"cannot {doing}", where="this machine", hint=tail or f"{command[0]} ended with {status}.")
    return "".join(lines)
