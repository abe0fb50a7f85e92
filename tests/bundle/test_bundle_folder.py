"""A bundle is written whole or not at all, and opened only when it is what was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgegap.bundle import Manifest, describe_file, new_bundle, open_bundle, write_json
from edgegap.errors import BundleError, DiskError, EdgeGapError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def manifest(folder: Path) -> Manifest:
    return Manifest(
        model="net.py:net",
        head="gap",
        classes=("ant", "bee"),
        preprocessing={"scale": 1 / 255},
        input_shape=(1, 3, 8, 8),
        outputs=2,
        io="float",
        input_scale=0.5,
        input_zero_point=-128,
        output_scale=0.25,
        output_zero_point=3,
        recipe="default",
        target="desktop",
        calibration="digits:train",
        calibration_images=256,
        calibration_hashes=(),
        exactness="exact",
        inexact=None,
        files=(describe_file(folder / "float.onnx"), describe_file(folder / "int8.tflite")),
        tools={"edgegap": "0.1.0"},
    )


def fill(folder: Path, content: bytes = b"content") -> Path:
    (folder / "float.onnx").write_bytes(content)
    (folder / "int8.tflite").write_bytes(content)
    write_json(folder / "manifest.json", manifest(folder).to_json())
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    with new_bundle(tmp_path / "bundle", force=False) as staging:
        fill(staging)
    return tmp_path / "bundle"


def test_what_was_written_is_opened(bundle: Path) -> None:
    assert open_bundle(bundle).manifest == manifest(bundle)
    assert open_bundle(bundle).file("float.onnx") == bundle / "float.onnx"
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]
    assert bundle.stat().st_mode & 0o755 == 0o755


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, EdgeGapError])
@pytest.mark.parametrize("old", [True, False])
def test_a_block_that_fails_leaves_everything_as_it_was(tmp_path: Path, error: type[BaseException], old: bool) -> None:
    path = tmp_path / "bundle"
    if old:
        path.mkdir()
        fill(path, b"old")

    def write() -> None:
        with new_bundle(path, force=True) as staging:
            fill(staging, b"new")
            raise error("no")

    with pytest.raises(error):
        write()
    assert [entry.name for entry in tmp_path.iterdir()] == (["bundle"] if old else [])
    assert not old or (path / "float.onnx").read_bytes() == b"old"


def test_a_bundle_that_appeared_meanwhile_is_kept_without_force(tmp_path: Path) -> None:
    path = tmp_path / "bundle"

    def write() -> None:
        with new_bundle(path, force=False) as staging:
            fill(staging)
            path.mkdir()
            fill(path, b"another's")

    with pytest.raises(BundleError, match="exists already"):
        write()
    assert (path / "float.onnx").read_bytes() == b"another's"
    assert [entry.name for entry in tmp_path.iterdir()] == ["bundle"]


def test_a_file_in_place_of_the_parent_folder_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="file"), new_bundle(tmp_path / "file" / "bundle", force=False):
        pass


def test_a_record_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_json(tmp_path / "checks" / "a.json", {"n": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "checks" / "a.json", {"n": object()})
    assert json.loads((tmp_path / "checks" / "a.json").read_text()) == {"n": 1}
    assert [path.name for path in (tmp_path / "checks").iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a manifest"),
        ("{", "not a manifest"),
        ("[" * 100_000, "not a manifest"),
        ("[1]", "edgegap.manifest/1"),
        ('{"format_version": 1}', "required"),
    ],
)
def test_a_manifest_that_is_none_is_told(bundle: Path, text: str, words: str) -> None:
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(BundleError, match=words) as caught:
        open_bundle(bundle)
    assert "manifest.json" in str(caught.value.where)
    assert caught.value.hint


def test_a_manifest_that_is_not_text_is_told(bundle: Path) -> None:
    (bundle / "manifest.json").write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(BundleError, match="not a manifest"):
        open_bundle(bundle)


def test_a_manifest_of_another_version_is_told(bundle: Path) -> None:
    record = manifest(bundle).to_json() | {"format_version": 2}
    (bundle / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(BundleError, match="format_version: 1 was expected") as caught:
        open_bundle(bundle)
    assert "edgegap export" in str(caught.value.hint)


def test_fields_of_a_newer_edgegap_are_passed_over(bundle: Path) -> None:
    record = manifest(bundle).to_json() | {"licence": "MIT"}
    record["files"][0]["compressed"] = False
    (bundle / "manifest.json").write_text(json.dumps(record))
    assert open_bundle(bundle).manifest == manifest(bundle)


def opened_or_refused(bundle: Path, record: Any) -> None:
    """Opening gives a manifest whose fields have their types, or BundleError."""
    (bundle / "manifest.json").write_text(json.dumps(record))
    try:
        found = open_bundle(bundle).manifest
    except BundleError:
        return
    assert json.loads(json.dumps(found.to_json())) == json.loads(json.dumps(record))
    assert all(int(size) == size for size in found.input_shape)
    assert found.classes is None or all(isinstance(name, str) for name in found.classes)
    assert found.preprocessing is None or isinstance(found.preprocessing, dict)
    assert found.exactness in ("exact", "bounded", None)
    assert found.io in ("float", "int8", None)
    assert int(found.outputs) == found.outputs  # to JSON Schema, 1.0 is an integer too
    assert found.output_scale is None or isinstance(found.output_scale, int | float)
    assert found.output_zero_point is None or int(found.output_zero_point) == found.output_zero_point


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_field_of_another_kind_is_refused(bundle: Path, data: st.DataObject) -> None:
    fill(bundle)
    record = manifest(bundle).to_json()
    field = data.draw(st.sampled_from(sorted(record)))
    opened_or_refused(bundle, record | {field: data.draw(JSON)})


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_an_entry_of_files_of_another_kind_is_refused(bundle: Path, data: st.DataObject) -> None:
    fill(bundle)
    record = manifest(bundle).to_json()
    entry = dict(record["files"][0])
    field = data.draw(st.sampled_from(sorted(entry)))
    opened_or_refused(bundle, record | {"files": [entry | {field: data.draw(JSON)}, record["files"][1]]})


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(whole=JSON, data=st.data())
def test_garbage_is_refused(bundle: Path, whole: object, data: st.DataObject) -> None:
    fill(bundle)
    text = bytearray((bundle / "manifest.json").read_bytes())
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    for content in (json.dumps(whole).encode(), bytes(text), bytes(text[: data.draw(st.integers(0, len(text)))])):
        (bundle / "manifest.json").write_bytes(content)
        try:
            open_bundle(bundle)
        except EdgeGapError as error:
            assert error.hint  # noqa: PT017  # opening may also succeed


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "sub/float.onnx", "", "."])
def test_a_manifest_names_only_files_of_its_own_folder(bundle: Path, name: str) -> None:
    (bundle.parent / "outside").write_bytes(b"content")
    record = manifest(bundle).to_json()
    record["files"][0]["name"] = name
    (bundle / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(BundleError):
        open_bundle(bundle)


def test_a_folder_in_place_of_the_manifest_or_of_a_file_is_told(bundle: Path) -> None:
    (bundle / "int8.tflite").unlink()
    (bundle / "int8.tflite").mkdir()
    with pytest.raises(BundleError, match=r"int8\.tflite"):
        open_bundle(bundle)
    (bundle / "manifest.json").unlink()
    (bundle / "manifest.json").mkdir()
    with pytest.raises(BundleError, match="not a bundle"):
        open_bundle(bundle)
