"""JSON Schemas (draft 2020-12) of the records that EdgeGAP writes, and reading a record against its schema.

A schema is open: a newer EdgeGAP may add fields to a record without a new version. A field that is not required may be
left out or null.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from edgegap.errors import BundleError

Kind = Literal[
    "manifest",
    "quantization",
    "export",
    "dry_run",
    "ops",
    "check",
    "bench",
    "explain",
    "doctor",
    "train",
    "qat",
    "gap",
]

__all__ = ["Kind", "read_record", "schema"]


@cache
def schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of a kind of record."""
    loaded: dict[str, Any] = json.loads(files(__package__).joinpath(f"{kind}.json").read_text(encoding="utf-8"))
    return loaded


def read_record(path: Path, kind: Kind) -> dict[str, Any]:
    """The record in a JSON file, with every field that its schema knows: None where the file leaves it out.

    Raises:
        BundleError: not JSON, another kind or version, or a field that is missing or wrong; names the file.
    """
    rules = schema(kind)
    try:
        record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        wrong = best_match(Draft202012Validator(rules).iter_errors(record))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"is not a {kind} record: {error}", where=str(path), hint=_hint(kind)) from error
    if wrong is not None:
        what = f"is not a record that this EdgeGAP reads ({rules['$id']}): {_place(wrong.absolute_path)}{wrong.message}"
        raise BundleError(what[:300], where=str(path), hint=_hint(kind))
    completed: dict[str, Any] = _complete(record, rules, rules.get("$defs", {}))
    return completed


def _complete(value: Any, rules: dict[str, Any], shared: dict[str, Any]) -> Any:
    if "$ref" in rules:
        rules = shared[rules["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, dict):
        known = rules.get("properties", {})
        return {
            **dict.fromkeys(known),
            **{key: _complete(item, known.get(key, {}), shared) for key, item in value.items()},
        }
    if isinstance(value, list):
        return [_complete(item, rules.get("items", {}), shared) for item in value]
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _place(path: Any) -> str:
    where = ".".join(map(str, path))
    return f"{where}: " if where else ""


def _hint(kind: Kind) -> str:
    verb = {"manifest": "export", "quantization": "export", "qat": "train --qat", "dry_run": "export --dry-run"}.get(
        kind, kind
    )
    return f"Move it away, and make it again with `edgegap {verb}`."
