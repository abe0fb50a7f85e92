"""Full, read-only and missing disks: exit status 3, the place named, and nothing left behind."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .harness import edgegap, left_behind, refused, write_npz

Mount = Callable[[str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount a file system in memory with some options; gives its folder."""
    mounted: list[Path] = []

    def make(options: str) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    if shutil.which("mount") is None:
        pytest.skip("no small disk can be mounted here: there is no mount command")
    yield make
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def call(tiny_onnx: Path, tmp_path: Path) -> list[object]:
    data = write_npz(tmp_path / "data.npz", 200)
    return ["export", tiny_onnx, "--int8", "--calib", data, "--preprocess", "unit"]


@pytest.mark.parametrize("size", ["4k", "12k", "20k"])
def test_a_full_disk_under_the_bundle(call: list[object], mount: Mount, size: str) -> None:
    disk = mount(f"size={size}")
    refused(*call, "-o", disk / "bundle", words=(str(disk), "No space left", "Make room"), status=3)
    assert not left_behind(disk)


def test_a_full_disk_keeps_the_old_bundle(call: list[object], mount: Mount, tmp_path: Path) -> None:
    assert edgegap(*call, "-o", tmp_path / "old").status == 0
    disk = mount("size=64k")
    shutil.copytree(tmp_path / "old", disk / "bundle")
    (disk / "ballast").write_bytes(b" " * 20_000)
    before = {path.name: path.read_bytes() for path in (disk / "bundle").iterdir()}
    refused(*call, "--force", "-o", disk / "bundle", words=("No space left",), status=3)
    assert {path.name: path.read_bytes() for path in (disk / "bundle").iterdir()} == before
    assert left_behind(disk) == ["ballast", "bundle"]


@pytest.mark.parametrize("size", ["4k", "16k", "24k", "32k"])
def test_a_full_temporary_disk(
    call: list[object], mount: Mount, size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = mount(f"size={size}")
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    words = (str(disk), "No space left", "TMPDIR")
    refused(*call, "-o", tmp_path / "out" / "bundle", words=words, status=3)
    assert not left_behind(disk)
    assert not (tmp_path / "out" / "bundle").exists()


def test_a_read_only_disk(call: list[object], mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = mount("ro")
    refused(*call, "-o", disk / "bundle", words=(str(disk), "Read-only"), status=3)
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    refused(*call, "-o", tmp_path / "bundle", words=(str(disk), "Read-only", "TMPDIR"), status=3)
    assert not (tmp_path / "bundle").exists()


def test_a_file_in_place_of_the_parent_folder(call: list[object], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(*call, "-o", tmp_path / "file" / "bundle", words=(str(tmp_path / "file"),), status=3)
    assert (tmp_path / "file").read_text() == ""


def test_a_record_that_cannot_be_written(tiny_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    record = tmp_path / "file" / "record.json"
    refused("export", tiny_onnx, "-o", tmp_path / "out", "--json", record, words="record.json", status=3)
