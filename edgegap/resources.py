"""Where the recipes of `calibration/` and the profiles of `targets/` are, and which file a name means.

Both folders stand at the top level of the repository, where a person adds a file without reading code. A wheel
carries copies inside the package (force-include in pyproject.toml); an editable install does not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from edgegap.errors import SettingsError

Kind = Literal["calibration", "targets"]


def resource_folder(kind: Kind) -> Path:
    """The folder of recipes or profiles: the package's own when it exists, else its sibling in the checkout."""
    package = Path(__file__).resolve().parent
    inside = package / kind
    return inside if inside.is_dir() else package.parent / kind


def resource_names(kind: Kind) -> list[str]:
    """The names that `resource` knows, sorted: the stems of the folder's `.toml` files."""
    return sorted(file.stem for file in resource_folder(kind).glob("*.toml"))


def resource(kind: Kind, name_or_path: str) -> Path:
    """The `.toml` file of a name (`default`), or a user's own file (`my.toml`, `settings/my.toml`).

    What ends in `.toml` or holds a path separator is a path, everything else a name.

    Raises:
        SettingsError: there is no such name or file; the hint lists the names.
    """
    is_path = name_or_path.endswith(".toml") or os.sep in name_or_path
    file = Path(name_or_path) if is_path else resource_folder(kind) / f"{name_or_path}.toml"
    if file.is_file():
        return file
    known = f"The names in {kind}/ are {', '.join(resource_names(kind))}; a file of your own is given by its path."
    if is_path:
        raise SettingsError("there is no such file", where=name_or_path, hint=known)
    raise SettingsError(f"{kind}/ has no file named {name_or_path!r}", hint=known)
