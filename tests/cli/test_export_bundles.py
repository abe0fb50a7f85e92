"""What `edgegap export` writes: every kind of MODEL and every option, on networks of three layers."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from .harness import Done, edgegap, in_subprocess, left_behind, write_images, write_onnx

EXPORTED = ["float.onnx", "float.tflite", "int8.onnx", "int8.tflite"]
INT8 = ("--int8", "--calib", "digits:train", "--preprocess", "unit", "--samples", 8)


def manifest_of(bundle: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((bundle / "manifest.json").read_text())
    return manifest


def exported(*arguments: object) -> Done:
    done = edgegap("export", *arguments)
    assert done.status == 0, done.err
    return done


def test_a_factory_file_becomes_an_exact_bundle(trained: Path) -> None:
    assert left_behind(trained) == sorted([*EXPORTED, "README.md", "manifest.json", "quantization.json"])
    manifest = manifest_of(trained)
    assert manifest["exactness"] == "exact"
    assert manifest["inexact"] is None
    assert manifest["head"] == "gap"
    assert manifest["classes"] == list("0123456789")
    assert manifest["calibration_images"] == 256
    assert manifest["input_shape"] == [1, 1, 8, 8]


def test_the_manifest_has_the_hash_and_size_of_every_exported_file(trained: Path) -> None:
    files = manifest_of(trained)["files"]
    assert [entry["name"] for entry in files] == EXPORTED
    for entry in files:
        content = (trained / entry["name"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
        assert f"{entry['precision']}.{entry['format']}" == entry["name"]


def test_a_package_module_factory_is_found_in_the_working_directory(
    home: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "nets.py").write_text((home / "digits_net.py").read_text())
    monkeypatch.chdir(tmp_path)
    exported("zoo.nets:tiny", "--weights", weights, "--input-shape", "1,8,8", "-o", "out")
    assert manifest_of(tmp_path / "out")["model"] == "zoo.nets:tiny"


def test_without_int8_only_the_float_pair_is_written(tiny_onnx: Path, tmp_path: Path) -> None:
    record = exported(tiny_onnx, "-o", tmp_path / "out", "--json", "-").record
    assert left_behind(tmp_path / "out") == ["README.md", "float.onnx", "float.tflite", "manifest.json"]
    assert record["exactness"] is None
    assert record["int8_ops"] == 0
    assert record["identity"] == record["float_ops"] == []
    assert manifest_of(tmp_path / "out")["io"] is None


@pytest.mark.parametrize("opset", [13, 17, 18, 20, 21, 23])
def test_an_onnx_file_of_each_opset_is_exported(tmp_path: Path, opset: int) -> None:
    exported(write_onnx(tmp_path / "net.onnx", opset=opset), "-o", tmp_path / "out")
    assert onnx.load(tmp_path / "out" / "float.onnx").opset_import[0].version == 18
    assert onnx.load(tmp_path / "out" / "float.onnx").ir_version == 8


def test_a_dynamic_batch_is_bound_to_one_with_a_notice(tmp_path: Path) -> None:
    done = exported(write_onnx(tmp_path / "net.onnx", batch="N"), "-o", tmp_path / "out")
    assert re.search("note: .*batch.*N.*--batch", done.err)
    assert manifest_of(tmp_path / "out")["input_shape"] == [1, 1, 8, 8]


def test_another_fixed_batch_becomes_one_with_a_notice(tmp_path: Path) -> None:
    done = exported(write_onnx(tmp_path / "net.onnx", batch=3), "-o", tmp_path / "out")
    assert re.search("note: .*batch.*3.*--batch", done.err)
    assert manifest_of(tmp_path / "out")["input_shape"] == [1, 1, 8, 8]


def test_a_dynamic_size_is_bound_by_input_shape(tmp_path: Path) -> None:
    exported(write_onnx(tmp_path / "net.onnx", size="S"), "--input-shape", "1,12,12", "-o", tmp_path / "out")
    assert manifest_of(tmp_path / "out")["input_shape"] == [1, 1, 12, 12]


def test_auxiliary_outputs_are_dropped_with_a_notice(home: Path, tmp_path: Path) -> None:
    """Even where they hold an op that has no int8 form."""
    net = f"{home / 'digits_net.py'}:Auxiliary"
    done = exported(net, *INT8, "-o", tmp_path / "out")
    assert "note: the network has 2 outputs: only the first, logits, is exported, as the logits; dropped: " in done.err
    assert manifest_of(tmp_path / "out")["exactness"] == "exact"
    session = onnxruntime.InferenceSession(tmp_path / "out" / "int8.onnx")
    assert [output.shape for output in session.get_outputs()] == [[1, 10]]


def test_further_outputs_of_an_onnx_file_are_dropped_with_a_notice(tmp_path: Path) -> None:
    model = onnx.load(write_onnx(tmp_path / "net.onnx"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("maps", 1, [1, 10, 8, 8]))
    onnx.save(model, tmp_path / "outputs.onnx")
    done = exported(tmp_path / "outputs.onnx", *INT8, "-o", tmp_path / "out")
    assert "only the first, logits, is exported, as the logits; dropped: maps" in done.err


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_format_keeps_only_that_format(tiny_onnx: Path, tmp_path: Path, form: str) -> None:
    exported(tiny_onnx, *INT8, "--format", form, "-o", tmp_path / "out")
    other = {"onnx": "tflite", "tflite": "onnx"}[form]
    assert [name for name in EXPORTED if (tmp_path / "out" / name).exists()] == [f"float.{form}", f"int8.{form}"]
    assert [entry["name"] for entry in manifest_of(tmp_path / "out")["files"]] == [f"float.{form}", f"int8.{form}"]
    assert f"int8.{other}" not in (tmp_path / "out" / "README.md").read_text()


def test_batch_is_that_of_every_file(tiny_onnx: Path, tmp_path: Path) -> None:
    exported(tiny_onnx, *INT8, "--batch", 4, "-o", tmp_path / "out")
    for precision in ("float", "int8"):
        session = onnxruntime.InferenceSession(tmp_path / "out" / f"{precision}.onnx")
        assert session.get_inputs()[0].shape == [4, 1, 8, 8]
        assert session.get_outputs()[0].shape == [4, 10]
        (details,) = Interpreter(str(tmp_path / "out" / f"{precision}.tflite")).get_input_details()
        assert details["shape"].tolist() == [4, 8, 8, 1]
    record = edgegap("check", tmp_path / "out", "--data", "digits:test", "--samples", 10, "--json", "-").record
    assert record["n"] == 10
    assert record["identity"][0]["compared"] == 100
    assert record["identity"][0]["different"] == 0


@pytest.mark.parametrize(("samples", "images"), [(5, 5), (0, 12), (100, 12)])
def test_samples_limits_the_calibration_images_and_zero_takes_all(
    tiny_onnx: Path, tmp_path: Path, samples: int, images: int
) -> None:
    data = write_images(tmp_path / "images", {"ant": 6, "bee": 6})
    exported(tiny_onnx, "--int8", "--calib", data, "--preprocess", "unit", "--samples", samples, "-o", tmp_path / "out")
    assert manifest_of(tmp_path / "out")["calibration_images"] == images


def test_classes_gives_the_order(tiny_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("wasp a wasp\nbee\nant\n")
    data = write_images(tmp_path / "images", {"ant": 2, "bee": 2})
    arguments = ("--classes", tmp_path / "classes.txt", "-o", tmp_path / "out")
    exported(tiny_onnx, "--int8", "--calib", data, "--preprocess", "unit", *arguments)
    assert manifest_of(tmp_path / "out")["classes"] == ["wasp", "bee", "ant"]
    exported(tiny_onnx, *arguments, "--force")
    assert manifest_of(tmp_path / "out")["classes"] == ["wasp", "bee", "ant"]


def test_force_replaces_the_whole_bundle(bundle: Path, tiny_onnx: Path) -> None:
    (bundle / "checks").mkdir()
    (bundle / "checks" / "old.json").write_text("{}")
    exported(tiny_onnx, "--force", "-o", bundle)
    assert left_behind(bundle) == ["README.md", "float.onnx", "float.tflite", "manifest.json"]
    assert left_behind(bundle.parent) == ["bundle"]


def test_force_takes_a_new_or_an_empty_folder_too(tiny_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        exported(tiny_onnx, "--force", "-o", tmp_path / name)
        assert (tmp_path / name / "manifest.json").is_file()


def test_parent_folders_of_the_bundle_are_made(tiny_onnx: Path, tmp_path: Path) -> None:
    exported(tiny_onnx, "-o", tmp_path / "a" / "b" / "out")
    assert left_behind(tmp_path / "a" / "b") == ["out"]


def test_the_export_record_has_the_fields_of_the_contract(trained: Path, tiny_onnx: Path, tmp_path: Path) -> None:
    done = exported(tiny_onnx, *INT8, "-o", tmp_path / "out", "--json", "-")
    record = done.record
    assert record["schema"] == "edgegap.export/1"
    assert record["bundle"] == str(tmp_path / "out")
    assert record["exactness"] == "exact"
    assert record["int8_ops"] == 3
    assert record["float_ops"] == []
    assert record["seconds"] > 0
    assert [sorted(entry) for entry in record["files"]] == [["bytes", "name", "sha256"]] * 4
    (identity,) = record["identity"]
    assert identity == {
        "artifacts": ["int8.onnx", "int8.tflite"],
        "runtimes": ["onnxruntime", "ai-edge-litert"],
        "targets": ["desktop", "desktop"],
        "compared": 80,
        "different": 0,
        "max_lsb": 0,
        "bound_lsb": 0,
        "first_layer": None,
    }


def test_json_goes_to_a_file_beside_the_table(tiny_onnx: Path, tmp_path: Path) -> None:
    done = exported(tiny_onnx, "-o", tmp_path / "out", "--json", tmp_path / "record.json")
    assert "float.tflite" in done.out
    assert json.loads((tmp_path / "record.json").read_text())["schema"] == "edgegap.export/1"


def test_the_quantization_names_every_layer_and_its_grids(trained: Path) -> None:
    view = json.loads((trained / "quantization.json").read_text())
    assert view["schema"] == "edgegap.quantization/1"
    assert np.array(view["input"]["pixel_integers"]).shape == (1, 256)
    assert [layer["op"] for layer in view["layers"]] == ["Conv", "Conv", "Conv", "GlobalAveragePool"]
    for layer in view["layers"]:
        assert layer["output"]["scale"] > 0
        assert -128 <= layer["output"]["zero_point"] <= 127


@pytest.mark.parametrize("name", ["trained", "integers"])
def test_the_snippets_of_the_readme_run_as_they_stand(request: pytest.FixtureRequest, name: str) -> None:
    bundle = request.getfixturevalue(name)
    snippets = re.findall(r"```python\n(.*?)```", (bundle / "README.md").read_text(), re.DOTALL)
    assert len(snippets) == 2
    manifest = manifest_of(bundle)
    n, c, h, w = manifest["input_shape"]
    kinds = ("uint8", "int8") if manifest["io"] == "int8" else ("float32", "float32")
    for snippet, shape, kind in zip(snippets, ([n, c, h, w], [n, h, w, c]), kinds, strict=True):
        code = (
            f"import numpy as np\nimages = np.ones({shape}, np.{kind})\n{snippet}\nassert logits.shape == ({n}, 10)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=bundle, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_float_of_a_real_command_says_so_and_prints_no_traceback(tiny_onnx: Path, tmp_path: Path) -> None:
    done = in_subprocess("export", tiny_onnx, "-o", tmp_path / "out", "--json", "-", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bundle"] == str(tmp_path / "out")
    assert left_behind(tmp_path) == ["out"]
