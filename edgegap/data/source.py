"""What a source of images is, and the checks that every kind of source shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgegap.data.preprocess import Pixels, Values
from edgegap.errors import DataError

KINDS = (
    "DATA is digits:train, digits:test, an .npz file (images, or x for features), a folder of images, "
    "package.module:callable or file.py:callable."
)


@dataclass(frozen=True, eq=False)
class Sample:
    """One image.

    Args:
        image: uint8 [H, W, C] pixels (C is 1 for grey, 3 for RGB), or float32 [C, H, W], already preprocessed.
        label: index of the class, None when unknown.
        name: what to call the image in a message or a record.
    """

    image: Pixels | Values
    label: int | None
    name: str


class DataSource(Protocol):
    """Images in a fixed order; each iteration starts anew. `len()` works where `count` is not None."""

    @property
    def spec(self) -> str:
        """What the person typed."""

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes; a label is an index into them."""

    @property
    def count(self) -> int | None:
        """How many images there are, before any is skipped; None when only iterating tells."""

    @property
    def skipped(self) -> list[str]:
        """`name: reason` of each image that could not be read in the last iteration (or so far in this one)."""

    def __iter__(self) -> Iterator[Sample]: ...

    def take(self, n: int) -> DataSource:
        """The first `n` images, or of a folder an even share of each class; 0 takes all."""


def check_take(n: int) -> None:
    """Refuse a negative number of images."""
    if n < 0:
        raise DataError(f"cannot take {n} images", hint="Give a number from 1 up, or 0 for all.")


def check_pixels(shape: tuple[int, ...], where: str) -> None:
    """Refuse a shape that is not [H, W], [H, W, 1] or [H, W, 3], or that has no pixels.

    Raises:
        DataError: such a shape.
    """
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        planar = len(shape) == 3 and shape[0] in (1, 3)
        raise DataError(
            f"uint8 images of shape {list(shape)}",
            where=where,
            hint="Pixels are [H, W], [H, W, 1] (grey) or [H, W, 3] (RGB)."
            + (" These look like [C, H, W]: move the channels last." if planar else ""),
        )
    if 0 in shape:
        raise DataError(f"images without pixels: {list(shape)}", where=where, hint="Height and width start at 1.")


def check_label(label: int, classes: tuple[str, ...] | None, where: str) -> None:
    """Refuse a label that is not the index of a class.

    Raises:
        DataError: a label below 0 or beyond `classes`.
    """
    if label < 0:
        raise DataError(
            f"label {label} is negative",
            where=where,
            hint="Labels are class indices from 0 up; leave out unknown ones.",
        )
    if classes is not None and label >= len(classes):
        raise DataError(
            f"label {label}, but there are only {len(classes)} classes",
            where=where,
            hint=f"Labels are class indices: 0 to {len(classes) - 1}.",
        )
    if label > np.iinfo(np.int64).max:
        raise DataError(f"label {label} does not fit into 64 bits", where=where, hint="Labels are class indices.")
