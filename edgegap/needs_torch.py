"""torch, or an error that says what to install."""

from __future__ import annotations

from types import ModuleType

from edgegap.errors import MissingPackage


def import_torch(what: str, instead: str, *, where: str = "") -> ModuleType:
    """The torch module.

    Args:
        what: needs it.
        instead: what to do instead of installing it.
        where: what the user gave that `what` follows from.

    Raises:
        MissingPackage: it is not installed, or its import fails.
    """
    try:
        import torch  # noqa: PLC0415  # slow to import, and not part of the base install
    except (ImportError, OSError) as error:  # OSError: a shared library of torch's that is missing
        hint = f"pip install 'edgegap[torch]', or {instead}."
        text = f"{what} needs torch, which cannot be imported: {error}"
        raise MissingPackage(text, where=where, hint=hint) from error
    return torch
