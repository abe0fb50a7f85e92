"""A user's TOML file as a dataclass; every mistake in it is told with its file, line and key.

The dataclass is the file's schema: a field is a key, a field without a default is required, a `Literal` lists the
values that a key may have, and a field that is itself a dataclass is a table.
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from edgegap.errors import SettingsError

T = TypeVar("T")

_NAMES: dict[Any, str] = {str: "a text", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True)
class SettingsFile:
    """A TOML file that was read.

    Args:
        path: where it is.
        text: what it says.
        values: the same, parsed.
    """

    path: Path
    text: str
    values: dict[str, Any]

    def error(self, what: str, *key: str, hint: str | None = None) -> SettingsError:
        """The error about the value at `key`, such as ("ranges", "method"); about the whole file without one."""
        number = line_of(self.text, key) if key else None
        return SettingsError(what, where=f"{self.path}, line {number}" if number else str(self.path), hint=hint)

    def build(self, cls: type[T], **more: object) -> T:
        """The file as a `cls`, a dataclass; `more` are fields of it that are no keys of the file.

        Raises:
            SettingsError: an unknown key, a missing key, a value of another type or not among those allowed.
        """
        return self._table(cls, self.values, (), more)

    def _table(self, cls: type[T], values: dict[str, Any], at: tuple[str, ...], more: dict[str, object]) -> T:
        fields = {field.name: field for field in dataclasses.fields(cls) if field.name not in more}  # type: ignore[arg-type]  # T is a dataclass
        for key in values:
            if key not in fields:
                hint = f"Allowed here: {', '.join(fields)}."
                raise self.error(f"unknown key '{'.'.join((*at, key))}'", *at, key, hint=hint)
        for key, field in fields.items():
            if key not in values and field.default is dataclasses.MISSING:
                raise self.error(f"the key '{'.'.join((*at, key))}' is missing", *at)
        hints = get_type_hints(cls)
        return cls(**{key: self._value(hints[key], value, (*at, key)) for key, value in values.items()}, **more)

    def _value(self, kind: Any, value: Any, at: tuple[str, ...]) -> Any:
        name = f"'{'.'.join(at)}'"
        if NoneType in get_args(kind):
            (kind,) = (choice for choice in get_args(kind) if choice is not NoneType)
        if get_origin(kind) is Literal:
            if value not in get_args(kind):
                choices = ", ".join(map(str, get_args(kind)))
                raise self.error(f"{name} is {value!r}", *at, hint=f"Choose one of: {choices}.")
            return value
        if get_origin(kind) is tuple:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise self.error(f"{name} is {value!r}, not a list of texts", *at)
            return tuple(value)
        table = dataclasses.is_dataclass(kind)
        if table or get_origin(kind) is dict:
            if not isinstance(value, dict):
                raise self.error(f"{name} is {value!r}, not a table", *at)
            if table:
                return self._table(kind, value, at, {})
            return {key: self._value(str, item, (*at, key)) for key, item in value.items()}
        if type(value) is not kind:  # isinstance would take true for a number
            raise self.error(f"{name} is {value!r}, not {_NAMES[kind]}", *at)
        return value


def read_settings(path: Path) -> SettingsFile:
    """Read a TOML file.

    Raises:
        SettingsError: a file that cannot be read, or is not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return SettingsFile(path, text, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not a TOML file: {error}", where=str(path)) from error
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", where=str(path)) from error


def line_of(text: str, key: tuple[str, ...]) -> int | None:
    """The line, from 1, on which the statement begins that first gives `key` a value; None where there is none.

    `tomllib` tells no lines, but it tells where a statement ends: a value that goes on in the next line does not parse
    without it. Each statement is parsed under its table's header, so that the key's name in full shows.

    Args:
        text: valid TOML.
        key: its name in full, part by part: ("ranges", "method") for `method` of `[ranges]` and for `ranges.method`.
    """
    header = statement = ""
    begin = 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += f"{line}\n"
        try:
            values = tomllib.loads(header + statement)
        except tomllib.TOMLDecodeError:
            continue
        if _has(values, key):
            return begin
        if statement.lstrip().startswith("["):
            header = statement
        statement, begin = "", number + 1
    return None


def _has(values: Any, key: tuple[str, ...]) -> bool:
    for part in key:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True
