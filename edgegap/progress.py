"""How long work reports how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many are done, and how many there are (None where nobody knows)."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""
    del stage, done, total
