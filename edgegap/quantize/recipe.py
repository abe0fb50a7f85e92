"""Recipes: how ranges and weights are chosen, as small TOML files in `calibration/`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from edgegap.errors import SettingsError
from edgegap.resources import resource

RangeMethod = Literal["minmax", "mse"]


@dataclass(frozen=True)
class Recipe:
    """A recipe.

    Args:
        name: the file's stem.
        description: one sentence on what it is for.
        ranges: how the range of an activation is chosen from its statistics.
        bias_correction: whether biases absorb the mean error of the rounded weights.
    """

    name: str
    description: str
    ranges: RangeMethod
    bias_correction: bool


_SCHEMA: dict[str, type | dict[str, type]] = {
    "description": str,
    "ranges": {"method": str},
    "weights": {"bias_correction": bool},
}


def load_recipe(name_or_path: str) -> Recipe:
    """A recipe of EdgeGAP's own by name, or a user's file by path.

    Raises:
        SettingsError: an unknown name, a file that is not TOML, an unknown key, a value of another type.
    """
    path = resource("calibration", name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not a TOML file: {error}", where=str(path)) from error
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", where=str(path)) from error
    _check(values, _SCHEMA, path, text)
    method = values["ranges"]["method"]
    if method not in get_args(RangeMethod):
        raise SettingsError(
            f"ranges.method is '{method}'",
            where=_line(path, text, "method"),
            hint=f"Choose one of: {', '.join(get_args(RangeMethod))}.",
        )
    return Recipe(path.stem, values["description"], method, values["weights"]["bias_correction"])


def _check(values: dict[str, Any], schema: dict[str, Any], path: Path, text: str, prefix: str = "") -> None:
    for key in values:
        if key not in schema:
            hint = f"Allowed here: {', '.join(schema)}."
            raise SettingsError(f"unknown key '{prefix}{key}'", where=_line(path, text, key), hint=hint)
    for key, kind in schema.items():
        expected = dict if isinstance(kind, dict) else kind
        if key not in values:
            raise SettingsError(f"the key '{prefix}{key}' is missing", where=str(path))
        if not isinstance(values[key], expected):
            what = f"'{prefix}{key}' is {values[key]!r}, not a {expected.__name__}"
            raise SettingsError(what, where=_line(path, text, key))
        if isinstance(kind, dict):
            _check(values[key], kind, path, text, f"{key}.")


def _line(path: Path, text: str, key: str) -> str:
    number = next((k for k, line in enumerate(text.splitlines(), 1) if line.strip().lstrip("[").startswith(key)), 1)
    return f"{path}, line {number}"
