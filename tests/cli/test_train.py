"""`edgegap train`: what it writes, how it goes on, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image

from edgegap.models import Checkpoint, read_checkpoint
from edgegap.schema import schema

from .harness import COMMAND, edgegap, left_behind, refused, write_images, write_npz
from .test_disks import Mount, mount  # noqa: F401  # a fixture

DIGITS = ("train", "nin_tiny", "--data", "digits:train", "--preprocess", "unit", "--threads", 1)
SMALL = ("--preprocess", "unit", "--threads", 1, "--epochs", 2, "--batch", 16)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A network that learned digits for some epochs, and the record of that."""
    path = tmp_path_factory.mktemp("trained") / "digits.pt"
    trained = edgegap(*DIGITS, "--val", "digits:test", "--epochs", 5, "-o", path, "--json", "-")
    assert trained.status == 0, trained.err
    assert trained.err.count("images/s") == 5
    return path, trained.record


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """40 images of ten classes."""
    return write_npz(tmp_path / "data.npz", 40, labels=np.arange(40) % 10)


def begun(tmp_path: Path, data: Path, **changes: Any) -> Path:
    """The checkpoint of a training that was broken off before its first epoch."""
    path = tmp_path / "begun.pt"
    call = ("train", "nin_tiny", "--data", data, *SMALL, "-o", path, "--lr", "1e38", "--optimizer", "sgd")
    assert edgegap(*call).status == 2
    record = torch.load(path, weights_only=True)
    record["training"]["fit"].update(changes)
    torch.save(record, path)
    return path


def test_digits_are_learned_and_the_record_says_how_well(done: tuple[Path, dict[str, Any]]) -> None:
    _, record = done
    Draft202012Validator(schema("train")).validate(record)
    assert record["val_top1_pct"] > 93
    assert (record["images"], record["classes"], record["epochs"]) == (1297, 10, 5)
    assert (record["architecture"], record["head"], record["parameters"]) == ("nin_tiny", "gap", 24874)


def test_metrics_and_curve_lie_beside_the_checkpoint(done: tuple[Path, dict[str, Any]]) -> None:
    path, record = done
    assert left_behind(path.parent) == ["digits.jsonl", "digits.png", "digits.pt"]
    lines = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[-1]["val_top1_pct"] == record["val_top1_pct"]
    with Image.open(path.with_suffix(".png")) as picture:
        assert picture.format == "PNG"


def test_the_checkpoint_carries_what_export_needs(done: tuple[Path, dict[str, Any]]) -> None:
    checkpoint = read_checkpoint(done[0])
    assert checkpoint.model == "zoo:nin_tiny"
    assert checkpoint.classes == tuple("0123456789")
    assert checkpoint.preprocessing is not None
    assert checkpoint.preprocessing.scale == 1 / 255
    assert checkpoint.training is None


def test_a_training_without_validation_and_with_another_head(data: Path, tmp_path: Path) -> None:
    trained = edgegap(
        "train", "nin_tiny", "--data", data, *SMALL, "--head", "fc", "-o", tmp_path / "new" / "fc.pt", "--json", "-"
    )
    assert trained.status == 0, trained.err
    assert trained.record["val_top1_pct"] is None
    assert read_checkpoint(tmp_path / "new" / "fc.pt").arguments.head == "fc"


def test_an_interrupted_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    call = [*map(str, DIGITS), "--epochs", "3"]
    whole = edgegap(*call, "-o", tmp_path / "whole.pt")
    assert whole.status == 0, whole.err
    path = tmp_path / "broken.pt"
    process = subprocess.Popen(
        [str(COMMAND), *call, "-o", str(path)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    assert first.startswith("epoch 1/3"), first
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "--resume" in err
    assert "Traceback" not in err
    assert left_behind(tmp_path) == ["broken.jsonl", "broken.pt", "whole.jsonl", "whole.png", "whole.pt"]
    assert read_checkpoint(path).training is not None

    resumed = edgegap("train", "nin_tiny", "--data", "digits:train", "--threads", 1, "-o", path, "--resume")
    assert resumed.status == 0, resumed.err
    assert "epoch 1/3" not in resumed.err
    mine, theirs = read_checkpoint(path).state_dict, read_checkpoint(tmp_path / "whole.pt").state_dict
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_learning_rate_that_diverges_is_told_and_the_last_good_checkpoint_kept(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    call = ("train", "nin_tiny", "--data", data, *SMALL, "--optimizer", "sgd", "--lr", "1e38", "-o", path)
    err = refused(*call, words=("not finite", "step", "epoch 1", "--lr 1e+38", "smaller"))
    assert "Traceback" not in err
    assert all(value.isfinite().all() for value in read_checkpoint(path).state_dict.values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--epochs", 3), ("--epochs 3", "began with 2")),
        (("--lr", 0.5), ("--lr 0.5", "began with 1e+38")),
        (("--head", "fc"), ("--head fc", "began with gap")),
        (("--preprocess", "raw"), ("--preprocess raw",)),
    ],
)
def test_resume_refuses_other_options(
    options: tuple[object, ...], words: tuple[str, ...], tmp_path: Path, data: Path
) -> None:
    path = begun(tmp_path, data)
    refused("train", "nin_tiny", "--data", data, "-o", path, "--resume", *options, words=words)


def test_resume_refuses_another_network_other_images_and_what_is_finished(
    tmp_path: Path, data: Path, done: tuple[Path, dict[str, Any]]
) -> None:
    path = begun(tmp_path, data, lr=0.01)
    refused("train", "resnet8", "--data", data, "-o", path, "--resume", words=("nin_tiny", "not of resnet8"))
    other = write_npz(tmp_path / "other.npz", 40, labels=np.arange(40) % 10, images=np.zeros((40, 8, 8), np.uint8))
    refused("train", "nin_tiny", "--data", other, "-o", path, "--resume", words=("not the images", str(other)))
    refused("train", "nin_tiny", "--data", "digits:train", "-o", done[0], "--resume", words="no training")
    refused("train", "nin_tiny", "--data", data, "-o", tmp_path / "none.pt", "--resume", words="cannot be read")
    assert edgegap("train", "nin_tiny", "--data", data, "-o", path, "--resume", "--threads", 1).status == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("train", "resnet9"), ("resnet9", "nin_tiny")),
        (("train", "nin_tiny", "--epochs", 0), "--epochs"),
        (("train", "nin_tiny", "--patience", 2), ("--patience", "--val")),
        (("train", "nin_tiny", "--val", "digits:test"), "C,H,W = 1,8,8, but of 1,6,6"),
        (("train", "resnet8", "--preprocess", "nothing"), "nothing"),
    ],
)
def test_a_call_that_is_wrong_is_refused_and_writes_nothing(
    options: tuple[object, ...], words: Any, tmp_path: Path
) -> None:
    data = write_npz(tmp_path / "data.npz", 20, size=6, labels=np.arange(20) % 10)
    refused(*options[:2], "--data", data, *SMALL, *options[2:], "-o", tmp_path / "out" / "net.pt", words=words)
    assert not (tmp_path / "out").exists()


def test_pixels_without_a_preprocessing_are_refused(data: Path, tmp_path: Path) -> None:
    refused("train", "nin_tiny", "--data", data, "-o", tmp_path / "net.pt", words="--preprocess")


def test_data_that_cannot_be_learned_is_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", {"cat": 3, "dog": 2})
    (folder / "bird").mkdir()
    refused("train", "nin_tiny", "--data", folder, *SMALL, "-o", tmp_path / "net.pt", words=("bird", str(folder)))
    labels = write_npz(tmp_path / "labels.npz", 40, labels=np.arange(40) % 10 + 1)
    refused("train", "nin_tiny", "--data", labels, *SMALL, "-o", tmp_path / "net.pt", words="labels from 1 to 10")
    mixed = write_images(tmp_path / "mixed", {"cat": 3})
    write_images(mixed, {"dog": 2}, size=9)
    refused("train", "nin_tiny", "--data", mixed, *SMALL, "-o", tmp_path / "net.pt", words=("[9, 9, 1]", "resize"))


def test_an_existing_file_is_replaced_only_with_force(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    path.write_text("mine")
    refused("train", "nin_tiny", "--data", data, *SMALL, "-o", path, words=("exists already", "--force", "--resume"))
    assert path.read_text() == "mine"
    assert edgegap("train", "nin_tiny", "--data", data, *SMALL, "-o", path, "--force").status == 0
    assert isinstance(read_checkpoint(path), Checkpoint)


@pytest.mark.parametrize("name", ["net.onnx", "net.png", "a:b.pt"])
def test_a_file_that_could_not_be_a_checkpoint_is_refused(name: str, data: Path, tmp_path: Path) -> None:
    refused("train", "nin_tiny", "--data", data, *SMALL, "-o", tmp_path / name, words="cannot be a checkpoint")


@pytest.mark.parametrize("size", ["4k", "64k", "200k"])
def test_a_full_disk_is_told_and_leaves_no_half_file(size: str, data: Path, mount: Mount) -> None:  # noqa: F811  # see above
    disk = mount(f"size={size}")
    call = ("train", "nin_tiny", "--data", data, *SMALL, "-o", disk / "net.pt")
    done = edgegap(*call)
    assert done.status == 3, done
    assert "No space left" in done.err
    assert str(disk) in done.err
    assert not [name for name in left_behind(disk) if "partial" in name]
    if (disk / "net.pt").exists():
        assert all(value.isfinite().all() for value in read_checkpoint(disk / "net.pt").state_dict.values())


def test_a_full_temporary_disk_is_told(mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811  # see above
    disk = mount("size=16k")
    monkeypatch.setattr("tempfile.tempdir", os.fspath(disk))
    refused(*DIGITS, "-o", tmp_path / "net.pt", words=("No space left", "TMPDIR"), status=3)
    assert not left_behind(disk)


def test_images_that_a_callable_has_preprocessed_need_no_preprocessing(tmp_path: Path) -> None:
    (tmp_path / "sounds.py").write_text(
        "import numpy as np\n"
        "def keywords():\n"
        "    for k in range(12):\n"
        "        yield np.full((1, 12, 10), k % 3, np.float32), k % 3\n"
    )
    call = ("train", "ds_cnn", "--data", f"{tmp_path / 'sounds.py'}:keywords", "--epochs", 1, "--threads", 1)
    done = edgegap(*call, "-o", tmp_path / "net.pt", "--json", "-")
    assert done.status == 0, done.err
    assert (done.record["input_shape"], done.record["classes"]) == ([1, 12, 10], 3)
    assert read_checkpoint(tmp_path / "net.pt").preprocessing is None
    refused(*call, "--augment", "crop", "-o", tmp_path / "other.pt", words="--augment crop is for pixels")
