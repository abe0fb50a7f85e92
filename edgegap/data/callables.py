"""Images from a person's own Python function."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edgegap.data.preprocess import Pixels, Values
from edgegap.data.source import KINDS, Sample, check_label, check_pixels, check_take
from edgegap.errors import DataError, EdgeGapError

YIELDS = (
    "It takes no argument and yields (image, label): uint8 [H, W, C] pixels or float32 [C, H, W] values that are "
    "already preprocessed, and a class index or None."
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
            raise _raised(error, self.spec) from error

    def _label(self, label: object, where: str) -> int | None:
        if label is None:
            return None
        if not isinstance(label, int | np.integer) or isinstance(label, bool):
            raise DataError(f"the label is a {_kind(label)}", where=where, hint=YIELDS)
        check_label(int(label), self.classes, where)
        return int(label)


def open_callable(spec: str, classes: tuple[str, ...] | None) -> CallableSource:
    """The source of `package.module:callable` or `file.py:callable`.

    As when Python itself runs a script or a module, the file's folder or the working directory comes first in
    `sys.path`.

    Raises:
        DataError: no such file, module or callable, or importing it raises.
    """
    target, _, name = spec.rpartition(":")
    try:
        module = _import_file(Path(target)) if target.endswith(".py") else _import_module(target)
        function = getattr(module, name, None)
    except (Exception, SystemExit) as error:
        raise _raised(error, spec) from error
    if not callable(function):
        raise DataError(
            f"{target} has {'nothing' if function is None else 'no function'} called {name!r}", where=spec, hint=YIELDS
        )
    return CallableSource(spec, function, classes)


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise DataError("no such file", where=str(path), hint="Check the path before the colon.")
    _search_first(path.parent)
    name = f"data_callable_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise DataError("not a Python file", where=str(path), hint="Check the path before the colon.")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses and pickle look the module up by its name
    found.loader.exec_module(module)
    return module


def _import_module(name: str) -> ModuleType:
    _search_first(Path())
    return importlib.import_module(name)


def _search_first(folder: Path) -> None:
    absolute = str(folder.resolve())
    if absolute not in sys.path:
        sys.path.insert(0, absolute)


def _raised(error: BaseException, spec: str) -> EdgeGapError:
    """What the person's code raised (a script may also end itself: SystemExit), with the line that was running."""
    if isinstance(error, EdgeGapError):
        return error
    target = spec.rpartition(":")[0]
    if isinstance(error, ModuleNotFoundError) and error.name and f"{target}.".startswith(f"{error.name}."):
        return DataError(f"no module is called {error.name!r}", where=spec, hint=KINDS)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in (__file__, importlib.__file__) and not frame.filename.startswith("<frozen")
    ]
    line = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return DataError(f"raised {type(error).__name__}: {error}{line}", where=spec, hint=YIELDS)


def _image(image: object, where: str) -> Pixels | Values:
    if not isinstance(image, np.ndarray):
        raise DataError(f"the image is a {_kind(image)}, not a NumPy array", where=where, hint=YIELDS)
    if image.dtype == np.uint8:
        check_pixels(image.shape, where)
        return image.reshape(*image.shape[:2], -1)
    if image.dtype != np.float32 or image.ndim != 3 or image.size == 0:
        raise DataError(f"the image is {image.dtype} {list(image.shape)}", where=where, hint=YIELDS)
    if not np.isfinite(image).all():
        raise DataError("the image holds NaN or infinity", where=where, hint="Look for a division by 0.")
    return image


def _kind(value: object) -> str:
    return f"tuple of {len(value)}" if isinstance(value, tuple) else type(value).__name__
