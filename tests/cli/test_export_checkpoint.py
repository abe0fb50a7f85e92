"""A checkpoint as MODEL: classes, preprocessing and the size of the input come with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .harness import edgegap, refused, write_npz

INT8 = ("--int8", "--calib", "digits:train", "--samples", 8, "--recipe", "fast")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nin_tiny after one epoch of digits."""
    path = tmp_path_factory.mktemp("checkpoint") / "digits.pt"
    call = ("train", "nin_tiny", "--data", "digits:train", "--preprocess", "unit", "--epochs", 1, "--threads", 1)
    done = edgegap(*call, "-o", path)
    assert done.status == 0, done.err
    return path


def manifest_of(bundle: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((bundle / "manifest.json").read_text())
    return manifest


@pytest.mark.parametrize("by_name", [False, True])
def test_it_needs_neither_preprocessing_nor_classes(by_name: bool, checkpoint: Path, tmp_path: Path) -> None:
    model = ("zoo:nin_tiny", "--weights", checkpoint) if by_name else (checkpoint,)
    done = edgegap("export", *model, *INT8, "-o", tmp_path / "bundle")
    assert done.status == 0, done.err
    manifest = manifest_of(tmp_path / "bundle")
    assert manifest["classes"] == list("0123456789")
    assert manifest["preprocessing"]["scale"] == 1 / 255
    assert (manifest["head"], manifest["exactness"]) == ("gap", "exact")


def test_a_float_export_needs_no_input_shape(checkpoint: Path, tmp_path: Path) -> None:
    done = edgegap("export", checkpoint, "-o", tmp_path / "bundle")
    assert done.status == 0, done.err
    manifest = manifest_of(tmp_path / "bundle")
    assert manifest["input_shape"] == [1, 1, 8, 8]
    assert manifest["classes"] == list("0123456789")


def test_images_of_another_size_than_it_was_trained_with_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "data.npz", 8, size=9)
    words = ("C,H,W = 1,8,8", "C,H,W = 1,9,9")
    refused("export", checkpoint, "--int8", "--calib", data, "-o", tmp_path / "bundle", words=words)


def test_what_is_no_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    refused("export", tmp_path / "nothing.pt", *INT8, "-o", out, words=("nothing.pt", "is not a network", "zoo:NAME"))
    (tmp_path / "text.pt").write_text("weights")
    refused("export", tmp_path / "text.pt", *INT8, "-o", out, words=("text.pt", "state dict"))
    refused("export", checkpoint, "--weights", checkpoint, *INT8, "-o", out, words="Leave out --weights")
    refused("export", "zoo:nin_tiny", *INT8, "--preprocess", "unit", "-o", out, words="needs weights")
    assert not out.exists()
