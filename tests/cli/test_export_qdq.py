"""`edgegap export` of a network that is quantized already."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgegap.schema import read_record

from .harness import edgegap, refused, write_npz, write_onnx

P = ("--preprocess", "unit")


@pytest.fixture(scope="module")
def qdq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MODEL: a network for digits that ONNX Runtime's quantize_static quantized."""
    from onnxruntime.quantization import (  # noqa: PLC0415  # slow to import
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Noise(CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter(np.random.default_rng(0).random((16, 1, 1, 8, 8), np.float32))

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.images, None)
            return None if image is None else {"input": image}

    folder = tmp_path_factory.mktemp("qdq")
    quantize_static(
        write_onnx(folder / "float.onnx"),
        folder / "qdq.onnx",
        Noise(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        per_channel=True,
    )
    return folder / "qdq.onnx"


def test_a_quantized_file_becomes_a_whole_bundle_without_calibration(qdq: Path, tmp_path: Path) -> None:
    done = edgegap("export", qdq, *P, "-o", tmp_path / "out", "--json", tmp_path / "export.json")
    assert done.status == 0, done.err
    names = {f"{precision}.{form}" for precision in ("float", "int8") for form in ("onnx", "tflite")}
    names |= {"quantization.json", "manifest.json", "README.md"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    record = read_record(tmp_path / "export.json", "export")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert record["exactness"] == "bounded"
    assert "GlobalAveragePool" in record["inexact"]
    pair, source = record["identity"]
    assert pair["artifacts"] == ["int8.onnx", "int8.tflite"]
    assert pair["max_lsb"] <= 1
    assert source["artifacts"] == ["qdq.onnx", "int8.onnx"]
    assert source["different"] == 0
    assert (manifest["recipe"], manifest["calibration"], manifest["calibration_images"]) == ("imported", None, 0)
    assert "parameters were kept" in (tmp_path / "out" / "README.md").read_text()
    assert "--calib" in done.err


def test_resnap_makes_it_exact_and_says_what_changed(qdq: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "images.npz", 20)
    done = edgegap("export", qdq, *P, "--calib", data, "--resnap", "-o", tmp_path / "out", "--json", "-")
    assert done.status == 0, done.err
    assert done.record["exactness"] == "exact"
    assert done.record["identity"][0]["different"] == 0
    assert "--resnap changed 1 of" in done.err
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["recipe"] == "resnapped"
    assert "--resnap changed" in (tmp_path / "out" / "README.md").read_text()


def test_the_bundle_is_checked_as_any_other(qdq: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "images.npz", 20)
    assert edgegap("export", qdq, *P, "-o", tmp_path / "out").status == 0
    done = edgegap("check", tmp_path / "out", "--data", data, "--json", "-")
    assert done.status == 0, done.err
    assert {row["artifact"] for row in done.record["results"]} >= {"int8.onnx", "int8.tflite"}


def test_int8_files_of_integers(qdq: Path, tmp_path: Path) -> None:
    done = edgegap("export", qdq, *P, "--io", "int8", "--batch", 2, "-o", tmp_path / "out", "--json", "-")
    assert done.status == 0, done.err
    assert onnx.load(tmp_path / "out" / "int8.onnx").graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert done.record["identity"][1]["different"] == 0


def test_the_int8_file_of_a_bundle_is_exact_again(trained: Path, tmp_path: Path) -> None:
    done = edgegap("export", trained / "int8.onnx", *P, "-o", tmp_path / "out", "--json", "-")
    assert done.status == 0, done.err
    assert done.record["exactness"] == "exact"
    assert [entry["different"] for entry in done.record["identity"]] == [0, 0]


def test_options_that_do_not_fit_are_refused(qdq: Path, tiny_onnx: Path, integers: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "out")
    refused("export", qdq, *out, words=("pixels become inputs", "--preprocess"))
    refused("export", qdq, *P, "--recipe", "fast", *out, words=("--recipe fast", "quantized", "float network"))
    refused("export", tiny_onnx, "--resnap", *out, words=("--resnap", "quantized already"))
    refused("export", integers / "int8.onnx", *P, *out, words=("int8.onnx", "input", "float"))
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_imported_names_the_node(qdq: Path, tmp_path: Path) -> None:
    model = onnx.load(qdq)
    last = model.graph.node[-1]
    model.graph.node.remove(last)
    model.graph.output[0].name = last.input[0]
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    onnx.save(model, tmp_path / "broken.onnx")
    words = ("QuantizeLinear node", "no DequantizeLinear follows it", "Let the network give float values")
    refused("export", tmp_path / "broken.onnx", *P, "-o", tmp_path / "out", words=words)
