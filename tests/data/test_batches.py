"""Batches of samples, and DATA that names nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgegap.data import PRESETS, DataSource, Preprocessing, batches, open_data
from edgegap.data.array import ArraySource
from edgegap.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 4, 5, 3), dtype=np.uint8)


def source_of(labels: list[int] | None = None) -> DataSource:
    return ArraySource("memory", IMAGES, None if labels is None else np.array(labels), None)


@given(st.integers(1, 9), st.integers(0, 9))
def test_batches_hold_every_image_once_in_order(size: int, n: int) -> None:
    parts = list(batches(source_of([0, 1, 2, 3, 4, 5, 6]).take(n), PRESETS["raw"], size))
    expected = IMAGES[: n or 7]
    np.testing.assert_array_equal(np.concatenate([part.images for part in parts]), expected)
    assert [len(part.images) for part in parts[:-1]] == [size] * (len(parts) - 1)
    assert [label for part in parts for label in part.labels] == list(range(len(expected)))
    assert [name for part in parts for name in part.names] == [f"images[{i}]" for i in range(len(expected))]
    assert all(part.labels.dtype == np.int64 and part.images.dtype == np.uint8 for part in parts)


def test_images_without_label_get_minus_one() -> None:
    assert next(batches(source_of(), PRESETS["raw"], 3)).labels.tolist() == [-1, -1, -1]


def test_values_of_a_callable_pass_untouched(tmp_path: Path) -> None:
    (tmp_path / "values.py").write_text(
        "import numpy as np\ndef images():\n    return [(np.full((2, 3, 4), i, np.float32), i) for i in range(3)]\n"
    )
    source = open_data(f"{tmp_path / 'values.py'}:images")
    for preprocessing in (None, PRESETS["imagenet"]):
        batch = next(batches(source, preprocessing, 8))
        assert (batch.images.dtype, batch.images.shape) == (np.float32, (3, 2, 3, 4))
        assert batch.images[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_pixels_need_a_preprocessing() -> None:
    with pytest.raises(DataError, match="without a preprocessing"):
        next(batches(source_of(), None, 2))


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(DataError, match="a batch of 0"):
        next(batches(source_of(), PRESETS["raw"], 0))


@pytest.mark.parametrize(("mode", "size"), [("RGB", (6, 5)), ("L", (5, 5))])
def test_an_image_of_another_shape_is_named(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "1.png")
    Image.new(mode, size).save(tmp_path / "2.png")
    source = open_data(str(tmp_path))
    with pytest.raises(DataError, match=r"after images of uint8 \[5, 5, 3\]") as caught:
        list(batches(source, PRESETS["raw"], 1))
    assert str(caught.value.where).endswith("2.png")
    assert "resize and crop" in str(caught.value.hint)
    assert next(batches(source, Preprocessing(crop=5, channels="rgb"), 2)).images.shape == (2, 5, 5, 3)


def test_an_image_too_small_for_the_crop_is_named() -> None:
    with pytest.raises(DataError, match="too small") as caught:
        next(batches(source_of(), Preprocessing(crop=32), 2))
    assert caught.value.where == "memory: images[0]"


@pytest.mark.parametrize("spec", ["", "no_such_folder", "digits", "digits:", "a\0b", "x" * 5000, __file__])
def test_data_that_names_nothing_lists_what_is_possible(spec: str) -> None:
    with pytest.raises(DataError) as caught:
        open_data(spec)
    for kind in ("digits:train", ".npz", "folder", "package.module:callable"):
        assert kind in str(caught.value.hint)


def test_importing_the_package_imports_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, edgegap.data; sys.exit(bool({'torch', 'sklearn', 'scipy'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
