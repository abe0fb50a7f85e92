"""`export --max-drop`: a layer that is hard to quantize stays in float, and every file of the bundle says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnxruntime
import pytest

from edgegap.schema import schema

from .harness import Done, edgegap, refused, write_npz, write_onnx

pytest.importorskip("torch")

PIXELS = ("--preprocess", "unit", "--recipe", "fast")


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A network whose head has one huge weight for a feature that is always 0, and images without labels."""
    folder, rng = tmp_path_factory.mktemp("hard"), np.random.default_rng(0)
    images = rng.integers(0, 256, (32, 4, 4), np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    stem, maps = rng.normal(0, 0.5, (8, 1, 3, 3)), rng.normal(0, 0.5, (10, 8, 1, 1))
    stem[0], maps[:, 0] = 0, 300
    weights = {"stem_weight": stem, "stem_bias": np.where(np.arange(8) == 0, -1, 0.0), "maps_weight": maps}
    path = write_onnx(folder / "net.onnx", **weights, maps_bias=np.zeros(10))
    session = onnxruntime.InferenceSession(path)
    logits = [session.run(None, {"input": image[None, None] / np.float32(255)})[0] for image in images]
    network = write_onnx(folder / "net.onnx", **weights, maps_bias=-np.concatenate(logits).mean(axis=0))
    return network, write_npz(folder / "images.npz", 32, images=images, labels=None)


@pytest.fixture(scope="module")
def mixed(hard: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    bundle = tmp_path_factory.mktemp("mixed") / "bundle"
    network, data = hard
    done = edgegap("export", network, "--int8", "--calib", data, *PIXELS, "--max-drop", 15, "-o", bundle, "--json", "-")
    assert done.status == 0, done.err
    return bundle, done


def contents(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_record_says_what_the_layer_buys_and_costs(mixed: tuple[Path, Done]) -> None:
    record = mixed[1].record
    jsonschema.validate(record, schema("export"))
    (layer,) = record["float_layers"]
    assert (layer["name"], layer["op"], layer["costs_kib"]) == ("maps", "Conv", 3 * 80 / 1024)
    assert layer["buys_pp"] > 50
    assert layer["costs_us"].keys() == {"int8.onnx", "int8.tflite"}
    assert record["exactness"] == "bounded"
    assert "maps" in record["inexact"]
    assert {op["why"] for op in record["float_ops"]} == {"--max-drop keeps it in float"}
    assert record["int8_ops"] == 1


def test_one_notice_says_it_too(mixed: tuple[Path, Done]) -> None:
    (line,) = (line for line in mixed[1].err.splitlines() if "stays in float" in line)
    assert "Conv 'maps' stays in float: it buys" in line
    assert "disagreement on 32 calibration images" in line


def test_manifest_readme_and_quantization_name_the_layer(mixed: tuple[Path, Done]) -> None:
    bundle = mixed[0]
    manifest = contents(bundle / "manifest.json")
    assert manifest["float_layers"] == ["maps"]
    assert manifest["exactness"] == "bounded"
    assert "computed in float from identical integers" in manifest["inexact"]
    assert manifest["output_zero_point"] is None
    assert "These layers stay in float: `maps`." in (bundle / "README.md").read_text()
    view = contents(bundle / "quantization.json")
    jsonschema.Draft202012Validator(schema("quantization")).validate(view)
    found = view["mixed_precision"]
    assert found["mixed_pp"] <= found["max_drop_pp"] == 15 < found["int8_pp"]


def test_the_other_verbs_take_a_float_head(mixed: tuple[Path, Done], hard: tuple[Path, Path]) -> None:
    bundle, data = mixed[0], hard[1]
    record = edgegap("check", bundle, "--data", data, "--json", "-").record
    agreement = {row["artifact"]: row["agreement_pct"] for row in record["results"]}
    assert agreement["int8.onnx"] >= 85
    assert agreement["int8.tflite"] >= 85
    assert record["identity"][0]["bound_lsb"] is None
    assert record["maps"]["pearson"] > 0.99
    assert edgegap("explain", bundle, "--data", data, "--samples", 4).status == 0


def test_a_limit_that_int8_meets_changes_nothing(hard: tuple[Path, Path], tmp_path: Path) -> None:
    network, data = write_onnx(tmp_path / "net.onnx"), hard[1]
    call = ("export", network, "--int8", "--calib", data, *PIXELS, "--json", "-", "-o")
    plain, limited = edgegap(*call, tmp_path / "a").record, edgegap(*call, tmp_path / "b", "--max-drop", 100).record
    assert [file["sha256"] for file in plain["files"]] == [file["sha256"] for file in limited["files"]]
    assert limited["float_layers"] == []
    assert limited["exactness"] == "exact"


def test_calls_that_make_no_sense_are_refused(hard: tuple[Path, Path], trained: Path, tmp_path: Path) -> None:
    network, data = hard
    int8 = ("export", network, "--int8", "--calib", data, *PIXELS, "-o", tmp_path / "out", "--max-drop")
    for limit in ("-1", "101", "nan"):
        refused(*int8, limit, words="--max-drop")
    refused("export", network, "-o", tmp_path / "out", "--max-drop", 1, words="--max-drop is for int8 files")
    quantized = ("export", trained / "int8.onnx", "--preprocess", "unit", "-o", tmp_path / "out", "--max-drop", 1)
    refused(*quantized, words="--max-drop is for a float network; this one is quantized")
