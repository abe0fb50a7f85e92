"""Weights that one file cannot hold: beside float.onnx, no float.tflite, and int8 goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from .harness import edgegap, refused, write_npz, write_onnx

LEFT_OUT = "float.tflite is left out"


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """An export of the smallest network, whose weights are too large for a limit of 64 bytes."""
    monkeypatch.setattr("edgegap.export.pair.LARGEST_FILE", 64)
    network, images = write_onnx(tmp_path / "net.onnx"), write_npz(tmp_path / "images.npz", 8)
    return ["export", network, "--int8", "--calib", images, "--preprocess", "unit", "--recipe", "fast"]


def test_every_verb_takes_the_bundle(call: list[object], tmp_path: Path) -> None:
    bundle = tmp_path / "out"
    done = edgegap(*call, "-o", bundle, "--json", "-")
    assert done.status == 0, done.err
    assert LEFT_OUT in done.err
    assert done.record["exactness"] == "exact"
    names = {path.name for path in bundle.iterdir()}
    assert {"float.onnx", "float.onnx.data", "int8.onnx", "int8.tflite"} < names
    assert "float.tflite" not in names

    done = edgegap("check", bundle, "--data", tmp_path / "images.npz", "--json", "-")
    assert done.status == 0, done.err
    assert {row["artifact"] for row in done.record["results"]} == {"int8.onnx", "int8.tflite"}


def test_weights_that_were_altered_are_refused(call: list[object], tmp_path: Path) -> None:
    assert edgegap(*call, "-o", tmp_path / "out").status == 0
    weights = tmp_path / "out" / "float.onnx.data"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    check = ("check", tmp_path / "out", "--data", tmp_path / "images.npz")
    refused(*check, words=("float.onnx.data", "was altered"))
    weights.unlink()
    refused(*check, words=("float.onnx.data", "is missing"))


def test_of_tflite_files_alone_only_that_of_int8_is_left(call: list[object], tmp_path: Path) -> None:
    done = edgegap(*call, "--format", "tflite", "-o", tmp_path / "out")
    assert done.status == 0, done.err
    assert LEFT_OUT in done.err
    assert not list((tmp_path / "out").glob("*.onnx*"))
    assert (tmp_path / "out" / "int8.tflite").is_file()
