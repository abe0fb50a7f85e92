"""Images that lie in one array."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edgegap.data.classes import class_indices
from edgegap.data.preprocess import Pixels, Values
from edgegap.data.source import Sample, check_label, check_take


@dataclass(frozen=True, eq=False)
class ArraySource:
    """A `DataSource` of `images` and `labels` int64 [N], or None.

    Images are uint8 [N, H, W, C], or float32 [N, C, H, W], already preprocessed.
    """

    spec: str
    images: Pixels | Values
    labels: npt.NDArray[np.int64] | None
    classes: tuple[str, ...] | None
    skipped: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """N."""
        return len(self.images)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Sample]:
        array = "images" if self.images.dtype == np.uint8 else "x"
        for index, image in enumerate(self.images):
            yield Sample(image, None if self.labels is None else int(self.labels[index]), f"{array}[{index}]")

    def take(self, n: int) -> ArraySource:
        """The first `n` images; 0 takes all."""
        check_take(n)
        stop = n or self.count
        return replace(self, images=self.images[:stop], labels=None if self.labels is None else self.labels[:stop])


def array_source(
    spec: str,
    images: Pixels | Values,
    labels: npt.NDArray[np.integer] | None,
    names: tuple[str, ...] | None,
    classes: tuple[str, ...] | None,
) -> ArraySource:
    """Check the labels, and bring them into the order of `classes` when that is given.

    Args:
        spec: what the person typed.
        images: uint8 [N, H, W, C], or float32 [N, C, H, W], already preprocessed.
        labels: integers [N], or None.
        names: the data's own class names, which `labels` index; None when it has none.
        classes: the classes file's; without `names`, `labels` index these.

    Raises:
        DataError: a label that indexes no class, or names that are not among `classes`.
    """
    if labels is not None:
        for label in (labels.min(), labels.max()):
            check_label(int(label), names or classes, f"{spec}: labels[{int(np.argmax(labels == label))}]")
        if names and classes:
            labels = np.array(class_indices(names, classes, spec))[labels]
    return ArraySource(spec, images, None if labels is None else labels.astype(np.int64), classes or names)
