"""`edgegap export --dry-run`: what an export would make, found without making it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from jsonschema import Draft202012Validator
from onnx import TensorProto, helper, numpy_helper
from report.test_schemas import closed

from edgegap.schema import schema

from .harness import edgegap, left_behind, refused, write_npz, write_onnx

MACS = 8 * 9 * 64 + 10 * 8 * 64
"""Of the network of `write_onnx`, on 8x8 pixels."""


def dry_run(*arguments: object, status: int = 0) -> dict[str, Any]:
    done = edgegap("export", *arguments, "--dry-run", "--json", "-")
    assert done.status == status, done.err
    Draft202012Validator(closed(schema("dry_run"))).validate(done.record)
    return done.record


def write_branches(path: Path, *middle: str) -> Path:
    """A network with a skip, and a Concat of branches of unequal ranges; the ops `middle` stand one after the other."""
    rng = np.random.default_rng(0)
    shapes = {"a": (8, 3, 3, 3), "b": (8, 8, 3, 3), "c": (8, 8, 1, 1), "d": (10, 16, 1, 1)}
    arrays = {name: rng.normal(0, 0.3, shape) for name, shape in shapes.items()}
    arrays["d"] *= 9
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [helper.make_node("Conv", ["input", "a"], ["stem"], name="stem", **pads)]
    last = "stem"
    for k, op in enumerate(middle):
        nodes.append(helper.make_node(op, [last], [f"middle{k}"], name=f"middle{k}"))
        last = f"middle{k}"
    nodes += [
        helper.make_node("Relu", [last], ["relu"], name="relu"),
        helper.make_node("Conv", ["relu", "b"], ["deep"], name="deep", **pads),
        helper.make_node("Add", ["relu", "deep"], ["sum"], name="sum"),
        helper.make_node("Conv", ["sum", "c"], ["side"], name="side"),
        helper.make_node("Concat", ["sum", "side"], ["both"], name="both", axis=1),
        helper.make_node("Conv", ["both", "d"], ["maps"], name="maps"),
        helper.make_node("GlobalAveragePool", ["maps"], ["gap"], name="gap"),
        helper.make_node("Flatten", ["gap"], ["logits"], name="flatten"),
    ]
    graph = helper.make_graph(
        nodes,
        "branches",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 12, 12])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def test_nothing_is_written_and_no_images_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = dry_run(write_onnx(tmp_path / "net.onnx"))
    assert left_behind(tmp_path) == ["net.onnx"]
    assert record["input_shape"] == [1, 1, 8, 8]
    assert record["macs"] == MACS
    assert record["parameters"] == 8 * 9 + 8 + 10 * 8 + 10
    assert record["peak_activation_bytes"] == {"float": 4 * 18 * 64, "int8": 18 * 64}
    assert record["int8_ops"] == {"Conv": 2, "GlobalAveragePool": 1}
    assert record["exactness"] == "exact"
    assert record["refused"] == record["float_ops"] == record["bounded"] == []
    assert len(record["files"]) == 4


@pytest.mark.parametrize("more", [(), ("--io", "int8"), ("--batch", 4), ("--format", "tflite"), ("--target", "pi5")])
def test_the_sizes_are_those_of_the_files(tmp_path: Path, more: tuple[object, ...]) -> None:
    """To the byte in float, within 2 % in int8; the files themselves are so small here that a name counts."""
    net = write_branches(tmp_path / "net.onnx")
    images = write_npz(
        tmp_path / "images.npz", 8, size=12, images=np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), np.uint8)
    )
    call = ("export", net, "--int8", "--calib", images, "--preprocess", "unit", *more)
    done = edgegap(*call, "-o", tmp_path / "out", "--json", "-")
    assert done.status == 0, done.err
    real = {file["name"]: file["bytes"] for file in done.record["files"]}
    record = dry_run(*call[1:])
    assert [file["name"] for file in record["files"]] == list(real)
    assert record["exactness"] == done.record["exactness"]
    for file in record["files"]:
        off = abs(file["bytes"] / real[file["name"]] - 1)
        assert off <= (0.02 if file["estimated"] else 0), file["name"]


def test_every_refused_node_is_listed_and_the_exit_status_is_that_of_the_export(tmp_path: Path) -> None:
    net = write_branches(tmp_path / "net.onnx", "Erf", "Softmax")
    done = edgegap("export", net, "--dry-run", "--json", tmp_path / "record.json")
    assert done.status == 2
    assert all(words in done.out for words in ("Erf middle0", "Softmax middle1", "would be in int8"))
    assert "2 nodes cannot be exported" in done.err
    record = json.loads((tmp_path / "record.json").read_text())
    assert [node["op"] for node in record["refused"]] == ["Erf", "Softmax"]
    assert all(node["why"] and node["hint"] for node in record["refused"])
    assert record["complete"]
    assert record["int8_ops"] == {"Add": 1, "Conv": 5, "GlobalAveragePool": 1}  # a Relu that stands alone is one more
    assert record["macs"] == dry_run(write_branches(tmp_path / "whole.onnx"))["macs"]
    assert record["files"] == []
    refused("export", net, "-o", tmp_path / "out", words="Erf")


def test_a_network_of_foreign_ops_is_refused_without_figures(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx", tail="Softmax")
    model = onnx.load(path)
    model.graph.node[-1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    onnx.save(model, path)
    record = dry_run(path, status=2)
    assert [node["node"] for node in record["refused"]] == ["tail"]
    assert not record["complete"]
    assert record["macs"] is record["int8_ops"] is record["peak_activation_bytes"] is None


def test_the_nodes_of_a_torch_network_are_named_by_their_modules(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(
        "from torch import nn\n"
        "def network():\n"
        "    block = [nn.Conv2d(1, 8, 3), nn.Softmax(1)]\n"
        "    return nn.Sequential(*block, nn.Conv2d(8, 10, 1), nn.Softmax(1), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    record = dry_run(f"{tmp_path / 'made.py'}:network", "--input-shape", "1,8,8", "--max-drop", 1, "--int8", status=2)
    assert [(node["op"], node["module"]) for node in record["refused"]] == [("Softmax", "1"), ("Softmax", "3")]
    assert record["macs"] == 36 * (8 * 9 + 10 * 8)
    assert record["complete"]


def test_what_only_images_show_is_said(tmp_path: Path) -> None:
    done = edgegap("export", write_onnx(tmp_path / "net.onnx"), "--dry-run", "--int8", "--max-drop", 1)
    assert done.status == 0
    assert "--max-drop" in done.err


def test_a_target_that_it_does_not_fit_is_told(tmp_path: Path) -> None:
    profile = (Path(__file__).resolve().parents[2] / "targets" / "armv7.toml").read_text()
    lines = ["memory_mib = 50" if line.startswith("memory_mib") else line for line in profile.splitlines()]
    (tmp_path / "tiny.toml").write_text("\n".join(lines))
    record = dry_run(write_onnx(tmp_path / "net.onnx"), "--target", tmp_path / "tiny.toml")
    assert record["target"]["memory_mib"] == 50
    assert {file["name"]: (file["fits"], file["runtimes"]) for file in record["files"]} == {
        "float.onnx": (False, []),
        "float.tflite": (True, ["tflite-runtime"]),
        "int8.onnx": (False, []),
        "int8.tflite": (True, ["tflite-runtime"]),
    }
    done = edgegap("export", tmp_path / "net.onnx", "--dry-run", "--target", tmp_path / "tiny.toml")
    assert done.status == 0
    assert "none" in done.out
    assert "tiny, 50 MiB" in done.out
    refused("export", tmp_path / "net.onnx", "--dry-run", "--target", "nothing", words="nothing")


def test_the_input_shape_comes_from_where_export_takes_it(tmp_path: Path) -> None:
    net = write_onnx(tmp_path / "net.onnx", size="side")
    refused("export", net, "--dry-run", words="--input-shape")
    assert dry_run(net, "--input-shape", "1,8,8")["macs"] == MACS
    images = write_npz(tmp_path / "images.npz", 3)
    record = dry_run(net, "--calib", images, "--preprocess", "unit", "--int8")
    assert record["input_shape"] == [1, 1, 8, 8]
    refused("export", net, "--dry-run", "--calib", images, words="--preprocess")
    refused("export", net, "--dry-run", "--calib", images, "--preprocess", "unit", "--input-shape", "1,9,9", words="9")


def test_a_bundle_is_asked_for_everywhere_else(tmp_path: Path) -> None:
    refused("export", write_onnx(tmp_path / "net.onnx"), words="--output")
    refused("export", tmp_path / "absent.onnx", "--dry-run", words="absent.onnx")


def test_a_quantized_file_keeps_its_parameters_here_too(tmp_path: Path) -> None:
    net, images = write_onnx(tmp_path / "net.onnx"), write_npz(tmp_path / "images.npz", 4)
    done = edgegap("export", net, "--int8", "--calib", images, "--preprocess", "unit", "-o", tmp_path / "out")
    assert done.status == 0, done.err
    record = dry_run(tmp_path / "out" / "int8.onnx", "--preprocess", "unit")
    assert record["exactness"] == "exact"
    real = (tmp_path / "out" / "int8.tflite").stat().st_size
    assert next(file["bytes"] for file in record["files"] if file["name"] == "int8.tflite") == pytest.approx(
        real, rel=0.02
    )
