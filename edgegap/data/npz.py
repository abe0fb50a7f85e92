"""Images from a NumPy archive."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgegap.data.array import ArraySource, array_source
from edgegap.data.source import check_pixels
from edgegap.errors import DataError

LAYOUT = "It holds images (uint8 [N, H, W, C] or [N, H, W]) and, optional, labels (integers [N]) and class_names."


def open_npz(path: Path, classes: tuple[str, ...] | None) -> ArraySource:
    """The `images` of an .npz, with its `labels` and `class_names` when it has them. Nothing in it is unpickled.

    Raises:
        DataError: not such a file.
    """
    where = str(path)
    arrays = _read(path)
    images = arrays["images"]
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(
            f"images is {images.dtype} {list(images.shape)}",
            where=where,
            hint=f"{LAYOUT} Float images come in by a callable: file.py:callable.",
        )
    if len(images) == 0:
        raise DataError("images holds no image", where=where, hint=LAYOUT)
    check_pixels(images.shape[1:], where)
    return array_source(
        where,
        images if images.ndim == 4 else images[..., np.newaxis],
        _labels(arrays["labels"], len(images), where) if "labels" in arrays else None,
        _class_names(arrays["class_names"], where) if "class_names" in arrays else None,
        classes,
    )


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
                arrays = {key: archive[key] for key in ("images", "labels", "class_names") if key in archive}
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
    if "images" not in arrays:
        raise DataError(f"no array called images, only {', '.join(held[:10]) or 'nothing'}", where=where, hint=LAYOUT)
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
