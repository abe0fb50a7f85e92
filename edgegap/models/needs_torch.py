"""torch, or an error that says what to install."""

from __future__ import annotations

from types import ModuleType

from edgegap.errors import ModelError


def import_torch(where: str, instead: str) -> ModuleType:
    """The torch module.

    Args:
        where: what needs it.
        instead: what to do instead of installing it.

    Raises:
        ModelError: it is not installed, or its import fails.
    """
    try:
        import torch  # noqa: PLC0415  # slow to import, and not part of the base install
    except (ImportError, OSError) as error:  # OSError: a shared library of torch's that is missing
        hint = f"pip install 'edgegap[torch]', or {instead}."
        what = f"a torch network needs torch, which cannot be imported: {error}"
        raise ModelError(what, where=where, hint=hint) from error
    return torch
