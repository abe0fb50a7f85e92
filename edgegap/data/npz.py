"""Images or features from a NumPy archive."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgegap.data.array import ArraySource, array_source
from edgegap.data.preprocess import Values
from edgegap.data.source import check_pixels
from edgegap.errors import DataError

LAYOUT = (
    "It holds images (uint8 [N, H, W, C] or [N, H, W]), or x (float32 [N, C, H, W] or [N, C, L], as the network takes "
    "it), and, optional, labels (integers [N]) and class_names."
)


def open_npz(path: Path, classes: tuple[str, ...] | None) -> ArraySource:
    """The `images` of an .npz, or its `x`, with its `labels` and `class_names` when it has them. Nothing is unpickled.

    Raises:
        DataError: not such a file.
    """
    where = str(path)
    arrays = _read(path)
    images = _features(arrays["x"], where) if "x" in arrays else _pixels(arrays["images"], where)
    return array_source(
        where,
        images,
        _labels(arrays["labels"], len(images), where) if "labels" in arrays else None,
        _class_names(arrays["class_names"], where) if "class_names" in arrays else None,
        classes,
    )


def holds_features(path: Path) -> bool:
    """Whether an .npz holds values that are preprocessed already; False for whatever cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "x.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _pixels(images: npt.NDArray[Any], where: str) -> npt.NDArray[np.uint8]:
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        hint = f"{LAYOUT} Float images come in as x, or by a callable: file.py:callable."
        raise DataError(f"images is {images.dtype} {list(images.shape)}", where=where, hint=hint)
    if len(images) == 0:
        raise DataError("images holds no image", where=where, hint=LAYOUT)
    check_pixels(images.shape[1:], where)
    return images if images.ndim == 4 else images[..., np.newaxis]


def _features(x: npt.NDArray[Any], where: str) -> Values:
    if x.dtype != np.float32 or x.ndim not in (3, 4):
        raise DataError(f"x is {x.dtype} {list(x.shape)}", where=where, hint=LAYOUT)
    if x.size == 0:
        raise DataError(f"x holds no value: {list(x.shape)}", where=where, hint=LAYOUT)
    finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if not finite.all():
        index = int(finite.argmin())
        raise DataError("holds NaN or infinity", where=f"{where}: x[{index}]", hint="Look for a division by 0.")
    return x if x.ndim == 4 else x[:, :, np.newaxis]


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    where = str(path)
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise DataError(
                    "not an .npz archive, or a truncated one", where=where, hint="Write it anew with numpy.savez."
                )
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in ("images", "x", "labels", "class_names") if key in archive}
                held = archive.files
    except FileNotFoundError as error:
        raise DataError("no such file", where=where, hint="Check the path of the images.") from error
    except DataError:
        raise
    # A damaged archive raises whatever zipfile, zlib, NumPy's header parser or the allocator happens to meet.
    except Exception as error:
        raise DataError(
            f"cannot be read as an .npz archive: {error or type(error).__name__}",
            where=where,
            hint="Write it with numpy.savez, from arrays of numbers and text.",
        ) from error
    if "images" in arrays and "x" in arrays:
        raise DataError("holds both images and x", where=where, hint=LAYOUT)
    if "images" not in arrays and "x" not in arrays:
        what = f"no array called images or x, only {', '.join(held[:10]) or 'nothing'}"
        raise DataError(what, where=where, hint=LAYOUT)
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):  # NumPy hands out a member that is no .npy as bytes
            raise DataError(f"{key} is not an array", where=where, hint="Write it with numpy.savez.")
    return arrays


def _labels(labels: npt.NDArray[Any], count: int, where: str) -> npt.NDArray[np.integer]:
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise DataError(f"labels is {labels.dtype} {list(labels.shape)}", where=where, hint=LAYOUT)
    if len(labels) != count:
        raise DataError(f"{count} images but {len(labels)} labels", where=where, hint="Each image has one label.")
    return labels


def _class_names(names: npt.NDArray[Any], where: str) -> tuple[str, ...]:
    if names.dtype.kind != "U" or names.ndim != 1 or len(names) == 0 or len(set(names.tolist())) != len(names):
        raise DataError(
            f"class_names is {names.dtype} {list(names.shape)}", where=where, hint="It holds different texts [classes]."
        )
    return tuple(names.tolist())
