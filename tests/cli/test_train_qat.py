"""`edgegap train --qat`: what it wins, that its figures are those of `check`, and what it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from edgegap.schema import schema

from .harness import COMMAND, edgegap, left_behind, refused, write_npz

pytest.importorskip("torch")

DIGITS = ("--data", "digits:train", "--threads", 1)
LOADED = ("--preprocess", "unit")
FAST = ("--recipe", "fast")


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits of a third of their brightness: ranges that they calibrate are far too small."""
    from edgegap.data import batches, load_preprocessing, open_data  # noqa: PLC0415

    (batch,) = batches(open_data("digits:train").take(64), load_preprocessing("raw"), 64)
    arrays = {"images": batch.images // 3, "labels": batch.labels, "class_names": np.array(list("0123456789"))}
    return write_npz(tmp_path_factory.mktemp("dark") / "dark.npz", 64, **arrays)


@pytest.fixture(scope="module")
def tuned(
    factory: str, weights: Path, dark: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A bundle that was trained from that start, and the record of it."""
    bundle = tmp_path_factory.mktemp("tuned") / "bundle"
    call = ("--weights", weights, *DIGITS, *LOADED, *FAST, "--val", "digits:test", "--calib", dark)
    done = edgegap("train", factory, "--qat", *call, "--epochs", 6, "--lr", 0.2, "-o", bundle, "--json", "-")
    assert done.status == 0, done.err
    assert done.err.count("images/s") == 6
    return bundle, done.record


def manifest(bundle: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((bundle / "manifest.json").read_text())
    return record


def test_it_wins_back_what_a_coarse_start_lost(tuned: tuple[Path, dict[str, Any]]) -> None:
    _, record = tuned
    Draft202012Validator(schema("qat")).validate(record)
    assert record["before"]["top1_pct"] < record["float"]["top1_pct"] - 2
    assert record["after"]["top1_pct"] > record["before"]["top1_pct"] + 1
    assert record["after"]["agreement_pct"] > record["before"]["agreement_pct"]


def test_its_figures_are_those_that_check_finds(tuned: tuple[Path, dict[str, Any]]) -> None:
    bundle, record = tuned
    checked = edgegap("check", bundle, "--data", "digits:test", "--json", "-")
    assert checked.status == 0, checked.err
    assert checked.record["reference"]["top1_pct"] == record["float"]["top1_pct"]
    for name in ("int8.onnx", "int8.tflite"):
        (row,) = (row for row in checked.record["results"] if row["artifact"] == name)
        assert row["top1_pct"] == record["after"]["top1_pct"]
        assert row["agreement_pct"] == record["after"]["agreement_pct"]
        for key in ("lost", "won", "drop_pp", "drop_ci95_pp", "mcnemar_p"):
            assert row[key] == record[key]
    assert not any(identity["different"] for identity in checked.record["identity"])


def test_the_bundle_is_exact_and_says_how_it_was_made(
    tuned: tuple[Path, dict[str, Any]], trained: Path, dark: Path
) -> None:
    bundle, record = tuned
    mine, exported = manifest(bundle), manifest(trained)
    assert (mine["exactness"], record["exactness"]) == ("exact", "exact")
    assert mine["recipe"] == "fast + 6 epochs of training"
    assert mine["calibration"] == str(dark)
    assert [f["sha256"] for f in mine["files"] if f["precision"] == "float"] == [
        f["sha256"] for f in exported["files"] if f["precision"] == "float"
    ]
    view = json.loads((bundle / "quantization.json").read_text())
    Draft202012Validator(schema("quantization")).validate(view)
    evidence = view["training"]
    assert (evidence["data"], evidence["epochs"], evidence["lr"]) == ("digits:train", 6, 0.2)
    lines = [json.loads(line) for line in (bundle / "training.jsonl").read_text().splitlines()]
    assert lines[-1]["val_top1_pct"] == record["after"]["top1_pct"]
    assert (bundle / "training.png").is_file()


def test_a_bundle_stands_for_its_float_network(tuned: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    bundle, before = tuned
    done = edgegap("train", bundle, "--qat", *DIGITS, "--epochs", 1, "-o", tmp_path / "again", "--json", "-")
    assert done.status == 0, done.err
    assert "digits:train" in done.record["measured_on"]
    assert "that the network learned from" in done.err
    mine, theirs = manifest(tmp_path / "again"), manifest(bundle)
    assert mine["recipe"] == "fast + 1 epochs of training"
    for key in ("classes", "preprocessing", "input_shape", "head"):
        assert mine[key] == theirs[key]
    assert done.record["recipe"] == before["recipe"] == "fast"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--qat", "--head", "fc"), ("--head", "--qat")),
        (("--qat", "--resume"), ("--resume", "--qat")),
        (("--qat", "--optimizer", "sgd"), "--optimizer"),
        (("--qat", "--patience", 2), ("--patience", "--val")),
        (("--qat", "--epochs", 0), "--epochs"),
        (("--qat", "--recipe", "nothing"), "nothing"),
        (("--weights", "w.pt"), ("--weights", "--qat")),
        (("--calib", "digits:train"), ("--calib", "--qat")),
        (("--recipe", "fast"), ("--recipe", "--qat")),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: tuple[object, ...], words: Any, tiny_onnx: Path, tmp_path: Path
) -> None:
    refused("train", tiny_onnx, *DIGITS, *LOADED, *options, "-o", tmp_path / "out", words=words)
    assert not left_behind(tmp_path)


def test_what_cannot_be_trained_is_refused(trained: Path, weights: Path, tiny_onnx: Path, tmp_path: Path) -> None:
    call = ("--qat", *DIGITS, "-o", tmp_path / "out")
    refused("train", "nin_tiny", *call, *LOADED, words=("nin_tiny", "MODEL is"))
    refused("train", trained / "int8.onnx", *call, *LOADED, words="quantized already")
    refused("train", trained, *call, "--weights", weights, words="--weights")
    refused("train", tiny_onnx, *call, words="--preprocess")
    refused("train", tiny_onnx, "--qat", *DIGITS, *LOADED, "-o", trained, words=("exists already", "--force"))
    assert not left_behind(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"labels": np.arange(40) % 9}, ("10 scores", "9 classes")),
        ({"labels": np.arange(40) % 10, "images": np.zeros((40, 6, 6), np.uint8)}, "C,H,W"),
        ({"labels": None}, "no label"),
    ],
)
def test_images_of_another_network_are_refused(
    arrays: dict[str, Any], words: Any, tiny_onnx: Path, tmp_path: Path
) -> None:
    data = write_npz(tmp_path / "data.npz", 40, **arrays)
    call = ("--qat", "--data", data, "--calib", "digits:train", *LOADED, *FAST, "-o", tmp_path / "out")
    refused("train", tiny_onnx, *call, words=words)
    assert left_behind(tmp_path) == ["data.npz"]


def test_other_classes_than_the_bundles_are_refused(trained: Path, tmp_path: Path) -> None:
    names = np.array([f"class{k}" for k in range(10)])
    data = write_npz(tmp_path / "data.npz", 40, labels=np.arange(40) % 10, class_names=names)
    refused("train", trained, "--qat", "--data", data, "-o", tmp_path / "out", words="classes are not those")


def test_a_loss_that_is_not_finite_names_the_step_and_nothing_is_written(tiny_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "import numpy as np\n"
        "def quiet():\n"
        "    for k in range(20):\n"
        "        yield np.full((1, 8, 8), k / 20, np.float32), k % 10\n"
        "def loud():\n"
        "    for k in range(20):\n"
        "        yield np.full((1, 8, 8), 3e38, np.float32), k % 10\n"
    )
    quiet, loud = (f"{tmp_path / 'loud.py'}:{name}" for name in ("quiet", "loud"))
    call = ("--qat", "--data", loud, "--val", quiet, "--calib", quiet, *FAST, "--threads", 1, "-o", tmp_path / "out")
    refused("train", tiny_onnx, *call, words=("not finite after step 1", "epoch 1", "smaller --lr"))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


def test_ctrl_c_leaves_nothing_and_says_so(tiny_onnx: Path, tmp_path: Path) -> None:
    call = ("train", tiny_onnx, "--qat", *DIGITS, *LOADED, *FAST, "--epochs", 50, "-o", tmp_path / "out")
    process = subprocess.Popen(
        [str(COMMAND), *map(str, call)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("epoch  1/50"), first
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "was not written" in err
    assert "Traceback" not in err
    assert not left_behind(tmp_path)
