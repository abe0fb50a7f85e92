"""The schemas describe what the commands write, and reading a record refuses everything else by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from edgegap.errors import BundleError
from edgegap.schema import Kind, read_record, schema

from .bundles import RECORDS, record, write

KINDS: tuple[Kind, ...] = get_args(Kind)


def closed(rules: Any) -> Any:
    """The schema with no room for fields that it does not describe."""
    if isinstance(rules, list):
        return [closed(item) for item in rules]
    if not isinstance(rules, dict):
        return rules
    tight = {key: closed(value) for key, value in rules.items()}
    if "properties" in rules and isinstance(rules.get("type"), str | list):
        tight["additionalProperties"] = False
    return tight


@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_is_one(kind: Kind) -> None:
    Draft202012Validator.check_schema(schema(kind))
    assert schema(kind)["$id"] == f"edgegap.{kind}/1"


def test_every_field_that_the_commands_write_is_described(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    bundle, exported = made
    write(tmp_path / "export.json", exported)
    (check,) = (bundle / "checks").glob("*.json")
    found: dict[Kind, Path] = {
        "export": tmp_path / "export.json",
        "check": check,
        "manifest": bundle / "manifest.json",
        "quantization": bundle / "quantization.json",
        "explain": bundle / "maps" / "maps.json",
    }
    for kind, path in found.items():
        wrong = Draft202012Validator(closed(schema(kind))).iter_errors(json.loads(path.read_text()))
        assert not [f"{kind}: {error.json_path}: {error.message}" for error in wrong]


@pytest.mark.parametrize(("name", "kind"), [("check", "check"), ("bench", "bench"), ("maps", "explain")])
def test_the_records_of_the_tests_are_described_too(name: str, kind: Kind) -> None:
    Draft202012Validator(closed(schema(kind))).validate(record(name))


def test_an_early_record_is_read_and_what_it_lacks_is_none() -> None:
    check = read_record(RECORDS / "early_check.json", "check")
    assert check["results"][0]["drop_ci95_pp"] is None
    assert check["gate"] is None
    assert check["per_class"] is None
    assert check["n"] == record("early_check")["n"]


def test_a_field_of_a_newer_edgegap_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "check.json", record("check") | {"novelty": 1})
    assert read_record(tmp_path / "check.json", "check")["novelty"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "edgegap.check/2"}, "schema: 'edgegap.check/1' was expected"),
        ({"schema": None}, "schema"),
        ({"n": 0}, "n: 0"),
        ({"n": "many"}, "n: 'many'"),
        ({"results": [{"artifact": "int8.onnx"}]}, "results.0: 'runtime' is a required property"),
        ({"per_class": [3]}, "per_class.0: 3"),
        ({"gate": {"verdict": "passed"}}, "gate: "),
        ({"maps": {}}, "maps: "),
        ({"layers": {"n": 1, "rows": None}}, "layers.rows: None"),
    ],
)
def test_a_record_with_a_wrong_field_is_refused_by_file_and_field(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    path = tmp_path / "check.json"
    write(path, record("check") | change)
    with pytest.raises(BundleError) as caught:
        read_record(path, "check")
    assert caught.value.where == str(path)
    assert words in caught.value.what
    assert "edgegap check" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text", [b"", b"no", b"[]", b"null", b"{}", b"\xff\xfe", b'{"n": NaN}', b'{"n": Infinity}', b"[" * 100_000]
)
def test_garbage_is_refused_by_file(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "check.json"
    path.write_bytes(text)
    with pytest.raises(BundleError, match=r"check\.json"):
        read_record(path, "check")
