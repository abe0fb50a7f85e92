"""The emulator's folder in the user's cache: parts that are there whole or not at all."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from edgegap.cache import MAKE_ROOM, cache
from edgegap.disk import disk_errors, passing_folder
from edgegap.progress import Progress, silent


@dataclass(frozen=True)
class Part:
    """A folder that is made once and kept.

    Args:
        name: what it is; the first half of the folder's name.
        recipe: everything that decides what is in it. Another recipe is another folder.
        make: fills a new, empty folder, which is then moved into its place.
    """

    name: str
    recipe: tuple[str, ...]
    make: Callable[[Path, Progress], None]

    @property
    def folder(self) -> Path:
        """Where it is, or will be."""
        return cache("emulator") / f"{self.name}-{sha256(repr(self.recipe).encode()).hexdigest()[:12]}"


def make_all(parts: Iterable[Part], progress: Progress = silent) -> None:
    """Make the parts that are not there yet, one after another; each may use those before it.

    One process at a time makes parts; a second one waits and finds them made. What a killed one left is removed.

    Raises:
        DiskError: no room, or no permission to write there.
        DeviceError: from `make`.
    """
    with disk_errors(cache("emulator"), MAKE_ROOM):
        cache("emulator").mkdir(parents=True, exist_ok=True)
        with _alone(progress):
            for rest in cache("emulator").glob(".*.partial"):
                shutil.rmtree(rest, ignore_errors=True)
            for part in parts:
                if not part.folder.is_dir():
                    with passing_folder(part.folder) as folder:
                        part.make(folder, progress)
                        folder.chmod(0o755)
                        folder.rename(part.folder)


@contextmanager
def _alone(progress: Progress) -> Iterator[None]:
    with open(cache("emulator") / "lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another process that sets up the emulator", 0, None)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
