"""Images from .npz files: what is read, and what a damaged or foreign file says."""

from __future__ import annotations

import contextlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgegap.data import open_data
from edgegap.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
FEATURES = np.random.default_rng(1).normal(size=(6, 4, 9)).astype(np.float32)
LABELS = np.array([2, 0, 1, 2, 1, 0])
NAMES = np.array(["ant", "bee", "cat"])


def written(folder: Path, **arrays: Any) -> str:
    path = folder / "images.npz"
    np.savez(path, **arrays)
    return str(path)


def test_images_labels_and_names_come_in_the_file_order(tmp_path: Path) -> None:
    source = open_data(written(tmp_path, images=IMAGES, labels=LABELS.astype(np.uint8), class_names=NAMES))
    samples = list(source)
    assert source.count == 6
    assert source.classes == ("ant", "bee", "cat")
    np.testing.assert_array_equal([sample.image for sample in samples], IMAGES)
    assert [sample.label for sample in samples] == LABELS.tolist()
    assert [sample.name for sample in samples][:2] == ["images[0]", "images[1]"]
    assert [sample.label for sample in source.take(2)] == [2, 0]
    assert source.take(0).count == source.take(99).count == 6


def test_grey_images_without_a_channel_axis_get_one(tmp_path: Path) -> None:
    source = open_data(written(tmp_path, images=IMAGES[..., 0]))
    sample = next(iter(source))
    assert sample.image.shape == (4, 5, 1)
    assert sample.label is None
    assert source.classes is None


def test_features_come_as_they_are_and_lines_as_maps_of_one_row(tmp_path: Path) -> None:
    source = open_data(written(tmp_path, x=FEATURES, labels=LABELS, class_names=NAMES))
    samples = list(source)
    np.testing.assert_array_equal([sample.image for sample in samples], FEATURES[:, :, None])
    assert [(sample.name, sample.label) for sample in samples][:2] == [("x[0]", 2), ("x[1]", 0)]
    maps = next(iter(open_data(written(tmp_path, x=FEATURES[:, None]))))
    np.testing.assert_array_equal(maps.image, FEATURES[0][None])


def test_features_that_are_not_finite_are_named(tmp_path: Path) -> None:
    broken = FEATURES.copy()
    broken[4, 1, 2] = np.nan
    with pytest.raises(DataError, match="NaN") as caught:
        open_data(written(tmp_path, x=broken))
    assert str(caught.value.where).endswith("x[4]")


def test_a_classes_file_reorders_the_labels_of_named_classes(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("\ufeffcat a cat\nwasp\nant\nbee\n", encoding="utf-8")
    path = written(tmp_path, images=IMAGES, labels=LABELS, class_names=NAMES)
    source = open_data(path, classes=tmp_path / "classes.txt")
    assert source.classes == ("cat", "wasp", "ant", "bee")
    assert [source.classes[sample.label or 0] for sample in source] == NAMES[LABELS].tolist()


def test_a_classes_file_names_the_labels_of_unnamed_classes(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("x\ny\nz\n")
    source = open_data(written(tmp_path, images=IMAGES, labels=LABELS), classes=tmp_path / "classes.txt")
    assert source.classes == ("x", "y", "z")
    assert [sample.label for sample in source] == LABELS.tolist()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_test": IMAGES}, "no array called images or x, only x_test"),
        ({}, "no array called images or x, only nothing"),
        ({"images": IMAGES.astype(np.float32)}, "images is float32"),
        ({"images": IMAGES[0, 0]}, r"images is uint8 \[5, 3\]"),
        ({"images": IMAGES.transpose(0, 3, 1, 2)}, "uint8 images of shape"),
        ({"images": IMAGES[:0]}, "holds no image"),
        ({"images": IMAGES[:, :0]}, "without pixels"),
        ({"images": np.array([{}, None])}, "pickle"),
        ({"images": IMAGES, "labels": LABELS[:5]}, "6 images but 5 labels"),
        ({"images": IMAGES, "labels": LABELS[:, None]}, r"labels is int64 \[6, 1\]"),
        ({"images": IMAGES, "labels": LABELS.astype(float)}, "labels is float64"),
        ({"images": IMAGES, "labels": LABELS - 1}, "label -1 is negative"),
        ({"images": IMAGES, "labels": LABELS.astype(np.uint64) - 1}, "does not fit"),
        ({"images": IMAGES, "labels": LABELS + 1, "class_names": NAMES}, "label 3, but there are only 3 classes"),
        ({"images": IMAGES, "class_names": np.arange(3)}, "class_names is int64"),
        ({"images": IMAGES, "x": FEATURES}, "both images and x"),
        ({"x": FEATURES.astype(float)}, "x is float64"),
        ({"x": FEATURES[0, 0]}, r"x is float32 \[9\]"),
        ({"x": FEATURES[:0]}, "no value"),
        ({"x": FEATURES, "labels": LABELS[:5]}, "6 images but 5 labels"),
        ({"images": IMAGES, "class_names": np.array(["a", "a"])}, "class_names is"),
    ],
)
def test_an_archive_that_does_not_fit_is_told(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = written(tmp_path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        open_data(path)
    assert str(caught.value.where).startswith(path)
    assert caught.value.hint


def test_the_position_of_a_wrong_label_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_data(written(tmp_path, images=IMAGES, labels=np.array([0, 1, -7, 0, 0, 0])))
    assert str(caught.value.where).endswith("images.npz: labels[2]")


def array_file() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, IMAGES)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"not an archive\n", pickle.dumps({"images": [1]}), array_file()],
    ids=["empty", "text", "pickle", "npy"],
)
def test_another_kind_of_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"not an \.npz archive"):
        open_data(str(tmp_path / "images.npz"))


def test_a_truncated_archive_is_told(tmp_path: Path) -> None:
    path = Path(written(tmp_path, images=IMAGES))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="truncated"):
        open_data(str(path))


def test_a_member_that_is_no_array_is_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "images.npz", "w") as archive:
        archive.writestr("images.npy", "uint8")
    with pytest.raises(DataError, match="images is not an array"):
        open_data(str(tmp_path / "images.npz"))


def test_a_missing_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_data(str(tmp_path / "images.npz"))


def archive(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


VALID = archive(images=IMAGES, labels=LABELS, class_names=NAMES)


def with_changes(changes: list[tuple[int, int]]) -> bytes:
    content = bytearray(VALID)
    for position, byte in changes:
        content[position] = byte
    return bytes(content)


def with_member(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr("images.npy", array_file()[:10] + content)
    return buffer.getvalue()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.one_of(
        st.binary(max_size=100),
        st.integers(0, len(VALID)).map(lambda length: VALID[:length]),
        st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=4).map(
            with_changes
        ),
        st.binary(max_size=130).map(with_member),
    )
)
def test_random_files_give_images_or_a_data_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "images.npz").write_bytes(content)
    with contextlib.suppress(DataError):
        assert len(list(open_data(str(tmp_path / "images.npz")))) > 0


def test_cifar10_is_read(data_dir: Path) -> None:
    source = open_data(str(data_dir / "cifar10_test.npz"))
    assert source.count == 10_000
    assert source.classes is not None
    assert source.classes[3] == "cat"
    first = next(iter(source))
    assert (first.image.shape, first.label) == ((32, 32, 3), 3)
