"""Which images a network can learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.harness import write_images

from edgegap.data import PRESETS
from edgegap.errors import DataError
from edgegap.progress import silent
from edgegap.train.images import TrainingData, training_data

from .data import write_npz


def read(data: Path, folder: Path, val: Path | None = None) -> TrainingData:
    return training_data(str(data), None if val is None else str(val), PRESETS["unit"], folder, silent)


def test_images_labels_and_classes_are_read(tmp_path: Path) -> None:
    names = np.array(["row", "column"])
    data = write_npz(tmp_path / "data.npz", class_names=names)
    found = read(data, tmp_path, write_npz(tmp_path / "val.npz", 10, class_names=names))
    assert (found.count, found.classes) == (2, ("row", "column"))
    assert (len(found.images), found.images.shape) == (40, (1, 8, 8))
    assert found.validation is not None
    assert len(found.validation) == 10


def test_the_digest_tells_other_images_and_other_labels(tmp_path: Path) -> None:
    labels = np.arange(40) % 2
    digests = {
        read(write_npz(tmp_path / f"{k}.npz", **arrays), tmp_path).digest()
        for k, arrays in enumerate([{}, {}, {"labels": 1 - labels}, {"images": np.zeros((40, 8, 8), np.uint8)}])
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"labels": None}, "40 images have no label"),
        ({"labels": np.arange(40) % 2 + 1}, "labels from 1 to 2, but no image of 1 of its 3 classes: 0"),
        ({"labels": np.arange(40) % 2 * 9}, r"no image of 8 of its 10 classes: 1, 2, 3, 4, 5 and 3 more"),
        ({"labels": np.arange(40) % 2 - 1}, "negative"),
        ({"labels": np.zeros(40, int)}, "one class"),
        ({"class_names": np.array(["row", "column", "cross"])}, "no image of 1 of its 3 classes: cross"),
    ],
)
def test_labels_that_are_not_0_to_k_minus_1_are_refused(arrays: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        read(write_npz(tmp_path / "data.npz", **arrays), tmp_path)


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", {"cat": 3, "dog": 2})
    (folder / "bird").mkdir()
    with pytest.raises(DataError, match="no image of 1 of its 3 classes: bird"):
        read(folder, tmp_path)


def test_images_of_mixed_sizes_are_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "data", {"cat": 3})
    write_images(folder, {"dog": 2}, size=9)
    with pytest.raises(DataError, match=r"\[9, 9, 1\], after images of uint8 \[8, 8, 1\]") as caught:
        read(folder, tmp_path)
    assert "resize" in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"images": np.zeros((40, 9, 9), np.uint8)}, "C,H,W = 1,9,9, but of 1,8,8"),
        ({"labels": np.arange(40) % 3}, "label 2, but there are 2 classes"),
        ({"labels": None}, "no label"),
        ({"class_names": np.array(["column", "row"])}, "not those of the training data"),
    ],
)
def test_validation_images_of_another_kind_are_refused(arrays: dict[str, Any], reason: str, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "data.npz", class_names=np.array(["row", "column"]))
    with pytest.raises(DataError, match=reason):
        read(data, tmp_path, write_npz(tmp_path / "val.npz", **arrays))
