"""Where EdgeGAP keeps what it made once and uses again on this machine."""

from __future__ import annotations

import os
from pathlib import Path

MAKE_ROOM = "Make room there, or point XDG_CACHE_HOME at a folder with more."


def cache(name: str) -> Path:
    """A folder in the user's cache. The XDG Base Directory Specification has a relative path ignored."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "edgegap" / name
