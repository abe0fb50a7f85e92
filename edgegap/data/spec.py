"""From what a person types to a source of images."""

from __future__ import annotations

import os
from pathlib import Path

from edgegap.data.callables import open_callable
from edgegap.data.classes import read_classes
from edgegap.data.digits import open_digits
from edgegap.data.folder import open_folder
from edgegap.data.npz import open_npz
from edgegap.data.source import KINDS, DataSource
from edgegap.errors import DataError


def open_data(spec: str, *, classes: Path | tuple[str, ...] | None = None, strict: bool = False) -> DataSource:
    """The images that `spec` names.

    Args:
        spec: `digits:train`, `digits:test`, an .npz file, a folder, `package.module:callable` or `file.py:callable`.
        classes: in their order: names, or a file with one class a line, its first word the name. Where the data names
            its own classes (folder, class_names of an .npz, digits) its labels are put into this order; else its labels
            index these.
        strict: an image that cannot be read is an error, and not skipped.

    Raises:
        DataError: nothing of that name, or nothing usable in it.
    """
    names = read_classes(classes) if isinstance(classes, Path) else classes
    kind, _, part = spec.partition(":")
    path = Path(spec)
    if kind == "digits" and part:
        return open_digits(part, names)
    if os.path.isdir(spec):  # unlike Path.is_dir, False for whatever cannot be a path
        return open_folder(path, names, strict=strict)
    if path.suffix == ".npz":
        return open_npz(path, names)
    if part:
        return open_callable(spec, names)
    raise DataError(
        "not a kind of data" if os.path.exists(spec) else "no such file or folder",
        where=spec or "empty DATA",
        hint=KINDS,
    )
