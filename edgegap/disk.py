"""Disk trouble as EdgeGAP's own error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
