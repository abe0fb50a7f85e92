"""`edgegap export`: what each layer costs, and the warning where the calibration images already show a loss."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from jsonschema import Draft202012Validator
from onnx import TensorProto, helper, numpy_helper

from edgegap.schema import schema

from .harness import edgegap, refused, write_npz, write_onnx

INT8 = ("--int8", "--calib", "digits:train", "--preprocess", "unit", "--samples", 64)
LOSS = "changes the answer on"

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # an import of it then fails as it does where it is not installed
from edgegap.cli import run
sys.exit(run())
"""


@pytest.fixture(scope="module")
def dominated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MODEL: one channel of the stem is 1,000 times as large as the others and matters to none of two readers."""
    rng = np.random.default_rng(0)
    stem, left, right = (rng.normal(0, 0.5, shape) for shape in ((8, 1, 3, 3), (10, 8, 1, 1), (10, 8, 1, 1)))
    stem[5] = 1000 * np.abs(stem[5])
    left[:, 5] = right[:, 5] = 0
    arrays = {"stem_weight": stem, "left_weight": left, "right_weight": right, "bias": np.zeros(10)}
    nodes = [
        helper.make_node("Conv", ["input", "stem_weight"], ["stem"], name="stem", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["stem"], ["active"], name="active"),
        helper.make_node("Conv", ["active", "left_weight", "bias"], ["left"], name="left"),
        helper.make_node("Conv", ["active", "right_weight", "bias"], ["right"], name="right"),
        helper.make_node("Add", ["left", "right"], ["maps"], name="maps"),
        helper.make_node("GlobalAveragePool", ["maps"], ["gap"], name="gap"),
        helper.make_node("Flatten", ["gap"], ["logits"], name="flatten"),
    ]
    graph = helper.make_graph(
        nodes,
        "dominated",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in arrays.items()],
    )
    path = tmp_path_factory.mktemp("dominated") / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


@pytest.fixture
def sensitive(factory: str, weights: Path, tmp_path: Path) -> Path:
    """The folder with a bundle 'out' of the trained network, its record 'export.json' and its table 'table.txt'."""
    record = ("--report-sensitivity", "-o", tmp_path / "out", "--json", tmp_path / "export.json")
    done = edgegap("export", factory, "--weights", weights, *INT8, *record)
    assert done.status == 0, done.err
    assert LOSS not in done.err
    (tmp_path / "table.txt").write_text(done.out)
    return tmp_path


def test_the_record_the_quantization_and_the_table_have_it(sensitive: Path) -> None:
    record = json.loads((sensitive / "export.json").read_text())
    view = json.loads((sensitive / "out" / "quantization.json").read_text())
    found = record["sensitivity"]
    assert view["sensitivity"] == found
    assert found["images"] == 64
    layers = {layer["name"]: layer["module"] for layer in view["layers"]}
    assert {part["name"] for part in found["parts"] if part["kind"] == "weights"} <= set(layers)
    assert len(found["parts"]) >= 7
    assert all(part["module"] == layers[part["name"]] for part in found["parts"] if part["name"] in layers)
    table = (sensitive / "table.txt").read_text()
    assert "n = 64 images" in table
    worst = found["parts"][0]
    row = next(line for line in table.splitlines() if worst["kind"] in line and worst["name"] in line)
    assert f"{worst['snr_db']:.1f}" in row


def test_it_is_as_the_schemas_say(sensitive: Path) -> None:
    record = json.loads((sensitive / "export.json").read_text())
    view = json.loads((sensitive / "out" / "quantization.json").read_text())
    Draft202012Validator(schema("export")).validate(record)
    Draft202012Validator(schema("quantization")).validate(view)
    del record["sensitivity"]["parts"][0]["snr_db"]
    assert not Draft202012Validator(schema("export")).is_valid(record)


def test_nobody_asked_and_nothing_is_measured(tiny_onnx: Path, tmp_path: Path) -> None:
    done = edgegap("export", tiny_onnx, *INT8, "-o", tmp_path / "out", "--json", "-")
    assert done.record["sensitivity"] is None
    assert "sensitivity" not in json.loads((tmp_path / "out" / "quantization.json").read_text())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ("--report-sensitivity needs calibration images", "--calib")),
        (("--calib", "digits:train", "--preprocess", "unit"), ("--report-sensitivity is for int8 files", "--int8")),
    ],
)
def test_it_needs_images_and_int8(
    tiny_onnx: Path, tmp_path: Path, options: tuple[str, ...], words: tuple[str, str]
) -> None:
    refused("export", tiny_onnx, *options, "--report-sensitivity", "-o", tmp_path / "out", words=words)


def without_torch(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_torch_it_is_refused_before_any_work(tiny_onnx: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = without_torch("export", tiny_onnx, *INT8, "--recipe", "fast", "--report-sensitivity", "-o", out)
    assert done.returncode == 2
    assert "--report-sensitivity needs torch" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_a_channel_that_dominates_rings_the_alarm_with_the_layer_and_the_remedy(
    dominated: Path, tmp_path: Path
) -> None:
    done = edgegap("export", dominated, *INT8, "--recipe", "fast", "-o", tmp_path / "out")
    assert done.status == 0, done.err
    (line,) = [line for line in done.err.splitlines() if LOSS in line]
    assert line.startswith("note: int8 ")
    assert "the activation of Conv 'stem'" in line
    assert "--recipe default" in line


def test_in_a_large_network_the_alarm_rings_without_the_layer(
    dominated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgegap.export.export.NAMING_MACS", 1000)
    done = edgegap("export", dominated, *INT8, "--recipe", "fast", "-o", tmp_path / "out")
    assert done.status == 0, done.err
    (line,) = [line for line in done.err.splitlines() if LOSS in line]
    assert "--report-sensitivity, which needs torch and time, would name the layer" in line


def test_without_torch_the_alarm_rings_without_the_layer(dominated: Path, tmp_path: Path) -> None:
    images = ("--int8", "--calib", write_npz(tmp_path / "images.npz", 32), "--preprocess", "unit")
    done = without_torch("export", dominated, *images, "--recipe", "fast", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if LOSS in line]
    assert "--report-sensitivity, which needs torch" in line


@pytest.mark.parametrize("recipe", ["fast", "default"])
def test_a_trained_network_does_not_ring_it(factory: str, weights: Path, tmp_path: Path, recipe: str) -> None:
    done = edgegap("export", factory, "--weights", weights, *INT8, "--recipe", recipe, "-o", tmp_path / "out")
    assert done.status == 0, done.err
    assert LOSS not in done.err


def test_an_imported_quantization_is_measured_too(tmp_path: Path) -> None:
    made = edgegap("export", write_onnx(tmp_path / "net.onnx"), *INT8, "--recipe", "fast", "-o", tmp_path / "own")
    assert made.status == 0, made.err
    images = ("--calib", "digits:train", "--preprocess", "unit", "--samples", 16)
    imported = ("export", tmp_path / "own" / "int8.onnx", *images, "--report-sensitivity", "-o", tmp_path / "out")
    found = edgegap(*imported, "--json", "-").record["sensitivity"]
    assert found["images"] == 16
    assert {part["kind"] for part in found["parts"]} == {"activation"}, "its weights are integers already"
    assert found["whole"]["snr_db"] is not None
