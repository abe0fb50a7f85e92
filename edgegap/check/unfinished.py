"""What a check has run so far, kept in the bundle until it is complete, so that an interrupted one can go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def unfinished(bundle: Path, *, resume: bool) -> Iterator[Path]:
    """A folder in a bundle's `checks`, which goes when the block ends well and stays when it does not.

    What is kept there is named after the work, images and files included: another check finds nothing of use in it.

    Args:
        bundle: the bundle's folder.
        resume: keep what an earlier check left behind.
    """
    folder = bundle / "checks" / ".unfinished"
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
