"""`edgegap report`: what it writes and where, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgegap.cli import run
from edgegap.schema import read_record

from .bundles import full_bundle, make_bundle, record, write


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return full_bundle(tmp_path / "bundle")


def report(*arguments: object) -> int:
    return run(["report", *map(str, arguments)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_page_is_written_here_by_default(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert report("bundle") == 0
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capsys.readouterr().out.startswith("report.html: ")
    assert names(tmp_path) == ["bundle", "report.html"]


def test_a_page_replaces_an_earlier_one(bundle: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("the last one")
    assert report(bundle, "-o", page) == 0
    assert "<!doctype html>" in page.read_text(encoding="utf-8")


def test_markdown_goes_to_stdout_or_a_file(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(bundle, "--format", "markdown") == 0
    out = capsys.readouterr().out
    assert out.startswith("### `bundle`")
    assert report(bundle, "--format", "markdown", "-o", tmp_path / "pull.md") == 0
    assert (tmp_path / "pull.md").read_text(encoding="utf-8") == out


def test_json_has_every_record_of_every_bundle(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(bundle, bundle, "--format", "json") == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["schema"] == "edgegap.report/1"
    assert len(whole["bundles"]) == 2
    one = whole["bundles"][0]
    assert one["checks"] == [read_record(bundle / "checks" / "0.json", "check")]
    assert one["benches"] == [read_record(bundle / "benches" / "0.json", "bench")]
    assert one["maps"] == read_record(bundle / "maps" / "maps.json", "explain")
    assert one["manifest"] == read_record(bundle / "manifest.json", "manifest")


def refused(capsys: pytest.CaptureFixture[str], *arguments: object, words: tuple[str, ...], status: int = 2) -> None:
    assert report(*arguments) == status
    captured = capsys.readouterr()
    assert not captured.out
    for word in words:
        assert word in captured.err


def test_what_is_no_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, tmp_path, "-o", tmp_path / "x.html", words=(str(tmp_path), "not a bundle"))
    refused(capsys, words=("BUNDLE",))
    assert names(tmp_path) == []


def test_a_tampered_file_is_named(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / "int8.onnx").write_bytes(b"another network")
    refused(capsys, bundle, "-o", tmp_path / "x.html", words=("int8.onnx", "altered"))
    assert names(tmp_path) == ["bundle"]


@pytest.mark.parametrize(
    "file", ["manifest.json", "checks/0.json", "benches/0.json", "maps/maps.json", "quantization.json"]
)
@pytest.mark.parametrize("text", ["{", '{"schema": "edgegap.check/9", "format_version": 9}'])
def test_a_record_that_is_none_is_named(
    bundle: Path, file: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / file).write_text(text)
    refused(capsys, bundle, "-o", tmp_path / "x.html", words=(file, "record"))


def test_a_picture_that_is_missing_or_none_is_named(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = bundle / "maps" / record("maps")["images"][0]["file"]
    picture.write_text("<svg onload='alert(1)'/>")
    refused(capsys, bundle, "-o", tmp_path / "x.html", words=(picture.name, "not a PNG"))
    picture.unlink()
    refused(capsys, bundle, "-o", tmp_path / "x.html", words=(picture.name, "edgegap explain"))


@pytest.mark.parametrize("file", ["../secret.png", "/etc/secret.png", "a\\b.png", "notes.txt"])
def test_a_picture_from_outside_the_bundle_is_refused(
    bundle: Path, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = record("maps")
    maps["images"][0]["file"] = file
    write(bundle / "maps" / "maps.json", maps)
    refused(capsys, bundle, "-o", tmp_path / "x.html", words=("maps.json", "images.0.file"))


def test_an_unfinished_check_is_no_record(bundle: Path, tmp_path: Path) -> None:
    (bundle / "checks" / ".unfinished.json").write_text("{")
    (bundle / "checks" / ".unfinished-0").mkdir()
    assert report(bundle, "-o", tmp_path / "x.html") == 0


def test_a_folder_that_is_not_there_is_a_disk_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = make_bundle(tmp_path / "a")
    refused(capsys, bundle, "-o", tmp_path / "none" / "x.html", words=("No such file", "-o"), status=3)
    (tmp_path / "taken").mkdir()
    refused(capsys, bundle, "-o", tmp_path / "taken", words=("taken",), status=3)
    assert names(tmp_path) == ["a", "taken"]
