"""Images from a person's own Python function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from edgegap.data.preprocess import Pixels, Values
from edgegap.data.source import Sample, check_label, check_pixels, check_take
from edgegap.errors import DataError
from edgegap.usercode import find_callable, raised

YIELDS = (
    "It takes no argument and yields (image, label): uint8 [H, W, C] pixels or float32 [C, H, W] or [C, L] "
    "values that are already preprocessed, and a class index or None."
)


@dataclass(frozen=True, eq=False)
class CallableSource:
    """A `DataSource` that calls `function` anew for each iteration."""

    spec: str
    function: Callable[[], Iterable[Any]]
    classes: tuple[str, ...] | None
    limit: int | None = None
    skipped: list[str] = field(default_factory=list)

    @property
    def count(self) -> None:
        """None: only iterating tells."""

    def __iter__(self) -> Iterator[Sample]:
        index = -1
        for index, item in enumerate(islice(self._items(), self.limit)):
            where = f"{self.spec}: item {index}"
            if not isinstance(item, tuple) or len(item) != 2:
                raise DataError(f"yields a {_kind(item)}, not (image, label)", where=where, hint=YIELDS)
            yield Sample(_image(item[0], where), self._label(item[1], where), f"item {index}")
        if index < 0:
            raise DataError("yields no image", where=self.spec, hint=YIELDS)

    def take(self, n: int) -> CallableSource:
        """The first `n` images; 0 takes all."""
        check_take(n)
        return replace(self, limit=min(n, self.limit or n) or self.limit, skipped=[])

    def _items(self) -> Iterator[Any]:
        try:
            yield from self.function()
        except (Exception, SystemExit) as error:
            raise raised(error, self.spec, DataError, YIELDS) from error

    def _label(self, label: object, where: str) -> int | None:
        if label is None:
            return None
        if not isinstance(label, int | np.integer) or isinstance(label, bool):
            raise DataError(f"the label is a {_kind(label)}", where=where, hint=YIELDS)
        check_label(int(label), self.classes, where)
        return int(label)


def open_callable(spec: str, classes: tuple[str, ...] | None) -> CallableSource:
    """The source of `package.module:callable` or `file.py:callable`.

    Raises:
        DataError: no such file, module or callable, or importing it raises.
    """
    return CallableSource(spec, find_callable(spec, DataError, YIELDS), classes)


def _image(image: object, where: str) -> Pixels | Values:
    if not isinstance(image, np.ndarray):
        raise DataError(f"the image is a {_kind(image)}, not a NumPy array", where=where, hint=YIELDS)
    if image.dtype == np.uint8:
        check_pixels(image.shape, where)
        return image.reshape(*image.shape[:2], -1)
    if image.dtype != np.float32 or image.ndim not in (2, 3) or image.size == 0:
        raise DataError(f"the image is {image.dtype} {list(image.shape)}", where=where, hint=YIELDS)
    if not np.isfinite(image).all():
        raise DataError("the image holds NaN or infinity", where=where, hint="Look for a division by 0.")
    return image if image.ndim == 3 else image[:, np.newaxis]


def _kind(value: object) -> str:
    return f"tuple of {len(value)}" if isinstance(value, tuple) else type(value).__name__
