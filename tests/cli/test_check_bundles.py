"""What `edgegap check` says of a bundle, and which bundles and images it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from edgegap.data import open_data

from .harness import edgegap, in_subprocess, left_behind, refused, write_images, write_npz, write_onnx

NUMBER = (int, float)
RESULT = {"artifact": str, "runtime": str, "target": str, "agreement_pct": NUMBER}
LABELLED = {"top1_pct": NUMBER, "drop_pp": NUMBER, "lost": int, "won": int}
IDENTITY = {"compared": int, "different": int, "max_lsb": int}


def has(record: dict[str, Any], fields: dict[str, Any]) -> None:
    """The record has these fields, of these types."""
    for name, kind in fields.items():
        assert isinstance(record[name], kind), (name, record[name])


@pytest.fixture(scope="module")
def checked(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """A copy of the trained bundle, the record of its check on digits:test, and what stderr said."""
    bundle = tmp_path_factory.mktemp("checked") / "bundle"
    shutil.copytree(trained, bundle)
    done = edgegap("check", bundle, "--data", "digits:test", "--json", "-")
    assert done.status == 0, done.err
    return bundle, done.record, done.err


def test_the_record_has_the_fields_of_the_contract(checked: tuple[Path, dict[str, Any], str]) -> None:
    _, record, _ = checked
    assert record["schema"] == "edgegap.check/1"
    assert record["n"] == 500
    has(record["reference"], {"artifact": str, "runtime": str, "top1_pct": NUMBER})
    assert record["reference"]["artifact"] == "float.onnx"
    assert [(row["artifact"], row["runtime"], row["target"]) for row in record["results"]] == [
        ("float.tflite", "ai-edge-litert", "desktop"),
        ("int8.onnx", "onnxruntime", "desktop"),
        ("int8.tflite", "ai-edge-litert", "desktop"),
    ]
    for row in record["results"]:
        has(row, RESULT | LABELLED)
    (identity,) = record["identity"]
    has(identity, IDENTITY)
    assert identity["artifacts"] == ["int8.onnx", "int8.tflite"]
    assert identity["runtimes"] == ["onnxruntime", "ai-edge-litert"]
    assert identity["targets"] == ["desktop", "desktop"]
    assert identity["bound_lsb"] == 0
    assert identity["first_layer"] is None


def test_the_trained_network_is_accurate_and_its_int8_files_agree_exactly(
    checked: tuple[Path, dict[str, Any], str],
) -> None:
    _, record, _ = checked
    assert record["reference"]["top1_pct"] > 85
    assert record["identity"][0]["compared"] == 5000
    assert record["identity"][0]["different"] == 0
    as_float, onnx, tflite = record["results"]
    assert as_float["agreement_pct"] == 100
    for row in (onnx, tflite):
        assert row["drop_pp"] == pytest.approx(record["reference"]["top1_pct"] - row["top1_pct"])
        assert row["drop_pp"] == pytest.approx((row["lost"] - row["won"]) / 5)
        assert row["drop_pp"] < 3
    assert {k: v for k, v in onnx.items() if k in RESULT | LABELLED and k not in ("artifact", "runtime")} == {
        k: v for k, v in tflite.items() if k in RESULT | LABELLED and k not in ("artifact", "runtime")
    }


def test_the_record_is_kept_in_the_bundle_which_stays_valid(checked: tuple[Path, dict[str, Any], str]) -> None:
    bundle, record, _ = checked
    (kept,) = left_behind(bundle / "checks")
    assert kept == "digits-test-desktop.json"
    assert json.loads((bundle / "checks" / kept).read_text()) == record
    done = edgegap("check", bundle, "--data", "digits:test", "--samples", 5)
    assert done.status == 0, done.err
    assert left_behind(bundle / "checks") == [kept]
    assert "int8.tflite" in done.out


def test_without_labels_agreement_is_reported_and_accuracy_is_not(bundle: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "data.npz", 12, labels=None)
    done = edgegap("check", bundle, "--data", data, "--json", "-")
    assert done.status == 0, done.err
    assert "label" in done.err
    record = done.record
    assert record["reference"]["top1_pct"] is None
    for row in record["results"]:
        has(row, RESULT)
        assert row["top1_pct"] is row["drop_pp"] is row["lost"] is row["won"] is None


def test_a_folder_with_some_of_the_classes_uses_the_order_of_the_bundle(bundle: Path, tmp_path: Path) -> None:
    data = tmp_path / "some"
    for sample in open_data("digits:test").take(200):
        if sample.label in (7, 9):
            (data / str(sample.label)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(sample.image[..., 0]).save(data / str(sample.label) / f"{sample.name.split()[-1]}.png")
    record = edgegap("check", bundle, "--data", data, "--json", "-").record
    assert record["n"] > 20
    assert record["reference"]["top1_pct"] > 60  # with its own order, 7 would be class 0 and 9 class 1


def test_class_names_of_several_words_are_those_of_the_bundle(tmp_path: Path) -> None:
    classes = {f"class {k:02} of ten": 2 for k in range(10)}
    images = write_images(tmp_path / "images", classes)
    network = write_onnx(tmp_path / "net.onnx")
    call = ("export", network, "--int8", "--calib", images, "--preprocess", "unit", "-o", tmp_path / "out")
    assert edgegap(*call).status == 0
    done = edgegap("check", tmp_path / "out", "--data", images, "--json", "-")
    assert done.status == 0, done.err
    assert done.record["classes"] == sorted(classes)


def test_a_folder_of_other_classes_is_refused(bundle: Path, tmp_path: Path) -> None:
    data = write_images(tmp_path / "insects", {"7": 2, "bee": 2})
    refused("check", bundle, "--data", data, words=("bee", "classes"))


def test_labels_beyond_the_outputs_are_refused(bundle: Path, integers: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "data.npz", 4, labels=np.array([0, 3, 12, 1]))
    refused("check", bundle, "--data", data, words=("12", "10 classes", "data.npz"))
    nameless = tmp_path / "nameless"
    shutil.copytree(integers, nameless)
    manifest = json.loads((nameless / "manifest.json").read_text())
    (nameless / "manifest.json").write_text(json.dumps(manifest | {"classes": None}))
    refused("check", nameless, "--data", data, words=("label 12", "images[2]", "10 classes"))


def test_a_check_without_images_is_refused(bundle: Path) -> None:
    refused("check", bundle, words=("--data", "digits:test"))


def test_images_of_another_size_are_refused(bundle: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "data.npz", 4, size=9)
    refused("check", bundle, "--data", data, words=("data.npz", "9", "8", "resize"))


def test_a_corrupt_image_is_skipped_with_a_notice_and_refused_when_strict(bundle: Path, tmp_path: Path) -> None:
    data = write_images(tmp_path / "images", {"0": 3, "5": 3})
    (data / "5" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = edgegap("check", bundle, "--data", data, "--json", "-")
    assert done.status == 0, done.err
    assert "note: skipped an image: 5/1.png" in done.err
    assert done.record["n"] == 5
    refused("check", bundle, "--data", data, "--strict", words=("5/1.png",))


def test_pixel_integers_are_what_the_int8_files_take(integers: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(5).integers(0, 256, (6, 8, 8, 1), np.uint8)
    view = json.loads((integers / "quantization.json").read_text())
    signed = np.array(view["input"]["pixel_integers"], np.int8)[0][images]
    session = onnxruntime.InferenceSession(integers / "int8.onnx", _exact())
    assert session.get_inputs()[0].type == session.get_outputs()[0].type == "tensor(uint8)"
    by_onnx, by_tflite = [], []
    net = Interpreter(str(integers / "int8.tflite"))
    net.allocate_tensors()
    (source,), (sink,) = net.get_input_details(), net.get_output_details()
    assert source["dtype"] is sink["dtype"] is np.int8
    for image in signed:
        unsigned = (image.astype(np.int16) + 128).astype(np.uint8).transpose(2, 0, 1)[None]
        by_onnx.append(session.run(None, {session.get_inputs()[0].name: unsigned})[0][0].astype(int) - 128)
        net.set_tensor(source["index"], image[None])
        net.invoke()
        by_tflite.append(net.get_tensor(sink["index"])[0].astype(int))
    assert np.array_equal(by_onnx, by_tflite)

    data = write_npz(tmp_path / "data.npz", 6, images=images, labels=np.argmax(by_onnx, axis=1))
    bundle = tmp_path / "bundle"
    shutil.copytree(integers, bundle)
    record = edgegap("check", bundle, "--data", data, "--json", "-").record
    assert [row["top1_pct"] for row in record["results"][1:]] == [100, 100]  # check finds the largest where we did
    assert record["identity"][0]["different"] == 0


def _exact() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def test_a_float_bundle_is_checked_too(tiny_onnx: Path, tmp_path: Path) -> None:
    assert edgegap("export", tiny_onnx, "-o", tmp_path / "out").status == 0
    words = "preprocess"
    refused("check", tmp_path / "out", "--data", "digits:test", "--samples", 4, words=words)
    call = ("--calib", "digits:train", "--preprocess", "unit", "--samples", 4)
    assert edgegap("export", tiny_onnx, *call, "--force", "-o", tmp_path / "out").status == 0
    record = edgegap("check", tmp_path / "out", "--data", "digits:test", "--samples", 4, "--json", "-").record
    assert [row["artifact"] for row in record["results"]] == ["float.tflite"]
    assert record["identity"] == []


def test_a_bundle_of_one_format_needs_its_reference(tiny_onnx: Path, tmp_path: Path) -> None:
    call = ("--calib", "digits:train", "--preprocess", "unit", "--samples", 4, "--format", "tflite")
    assert edgegap("export", tiny_onnx, *call, "-o", tmp_path / "out").status == 0
    refused("check", tmp_path / "out", "--data", "digits:test", words=("float.onnx", "--format"))


@pytest.mark.parametrize(
    ("name", "words"),
    [("int8.tflite", ("int8.tflite", "missing", "again")), ("manifest.json", ("not a bundle", "edgegap export"))],
)
def test_a_bundle_with_a_file_missing_is_refused(bundle: Path, name: str, words: tuple[str, ...]) -> None:
    (bundle / name).unlink()
    refused("check", bundle, "--data", "digits:test", words=words)
    refused("check", bundle / "nowhere", "--data", "digits:test", words="not a bundle")


def test_a_bundle_whose_file_was_altered_is_refused(bundle: Path) -> None:
    content = bytearray((bundle / "int8.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / "int8.onnx").write_bytes(content)
    refused("check", bundle, "--data", "digits:test", words=("int8.onnx", "altered", "again"))


def test_a_file_that_a_runtime_cannot_load_is_a_runtime_failure(bundle: Path) -> None:
    import hashlib  # noqa: PLC0415  # for this test alone

    content = (bundle / "int8.tflite").read_bytes()[:-200]
    (bundle / "int8.tflite").write_bytes(content)
    manifest = json.loads((bundle / "manifest.json").read_text())
    entry = next(entry for entry in manifest["files"] if entry["name"] == "int8.tflite")
    entry.update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    refused("check", bundle, "--data", "digits:test", "--samples", 4, words=("int8.tflite", "ai-edge-litert"), status=3)
    assert not list((bundle / "checks").glob("*.json"))


def test_a_real_command_prints_only_json_to_stdout(bundle: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "data.npz", 4)
    done = in_subprocess("check", bundle, "--data", data, "--json", "-")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n"] == 4
