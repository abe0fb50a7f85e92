"""Sets up emulated boards in the user's cache."""

from __future__ import annotations

from collections.abc import Iterable

from edgegap.progress import Progress, silent
from edgegap.run.emulate.emulation import Emulation
from edgegap.run.emulate.parts import Part, make_all
from edgegap.run.target import Target


def set_up(targets: Iterable[Target], progress: Progress = silent) -> None:
    """Make everything that emulating these targets needs, without root; what is there already is kept.

    Args:
        targets: those without an emulator are passed over.
        progress: told what is being made, and how far it is in per cent where that is known.

    Raises:
        DeviceError: a tool is missing or failed; it says what to install.
        DiskError: no room, or no permission to write in the user's cache.
    """
    parts: list[Part] = []
    for target in targets:
        if target.emulator is not None:
            parts += Emulation(target).parts()
    make_all(parts, progress)


def is_set_up(target: Target) -> bool:
    """Whether everything that emulating a target needs is there."""
    return all(part.folder.is_dir() for part in Emulation(target).parts())
