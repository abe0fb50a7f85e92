"""Samples to arrays that a runtime takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from edgegap.data.preprocess import Pixels, Preprocessing, Values
from edgegap.data.source import DataSource, Sample
from edgegap.errors import DataError


@dataclass(frozen=True, eq=False)
class Batch:
    """Some images of one shape.

    Args:
        images: uint8 [n, H, W, C] after `Preprocessing.pixels`; float32 [n, C, H, W] of an already preprocessed source.
        labels: int64 [n], -1 where there is none.
        names: n names.
    """

    images: Pixels | Values
    labels: npt.NDArray[np.int64]
    names: list[str]


def batches(source: DataSource, preprocessing: Preprocessing | None, size: int) -> Iterator[Batch]:
    """The images of `source` in its order, `size` at a time; the last batch may be smaller.

    Args:
        source: where the images come from.
        preprocessing: for sources of pixels. Float images are already preprocessed, it does not touch them, and only
            for them may it be None.
        size: images in a batch, from 1 up.

    Raises:
        DataError: images of different shapes, one too small for the crop, pixels without a preprocessing, or whatever
            the source raises.
    """
    if size < 1:
        raise DataError(f"a batch of {size} images", hint="A batch has at least 1 image.")
    expected: tuple[np.dtype[Any], tuple[int, ...]] | None = None
    samples = iter(source)
    while chunk := list(islice(samples, size)):
        images: list[npt.NDArray[Any]] = []
        for sample in chunk:
            where = f"{source.spec}: {sample.name}"
            image = _image(sample, preprocessing, where)
            expected = expected or (image.dtype, image.shape)
            if (image.dtype, image.shape) != expected:
                raise DataError(
                    f"an image of {image.dtype} {list(image.shape)}, after images of {expected[0]} {list(expected[1])}",
                    where=where,
                    hint="All images of one source need one shape: set resize and crop (and channels, when grey and "
                    "colour images are mixed) in the preprocessing.",
                )
            images.append(image)
        labels = [-1 if sample.label is None else sample.label for sample in chunk]
        yield Batch(np.stack(images), np.array(labels, dtype=np.int64), [sample.name for sample in chunk])


def _image(sample: Sample, preprocessing: Preprocessing | None, where: str) -> Pixels | Values:
    if sample.image.dtype == np.float32:
        return sample.image
    if preprocessing is None:
        raise DataError("pixels without a preprocessing", where=where, hint="Say how they become values: --preprocess.")
    try:
        return preprocessing.pixels(cast(Pixels, sample.image))
    except DataError as error:
        raise DataError(error.what, where=where, hint=error.hint) from None
