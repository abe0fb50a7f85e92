"""A person's own Python: the callable that `file.py:name` or `package.module:name` means, and its mistakes quoted."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from edgegap.errors import EdgeGapError


def find_callable(spec: str, kind: type[EdgeGapError], hint: str) -> Callable[[], Any]:
    """The callable of `package.module:callable` or `file.py:callable`.

    As when Python itself runs a script or a module, the file's folder or the working directory comes first in
    `sys.path`.

    Args:
        spec: what the person typed.
        kind: the error to raise: no such file, module or callable, or importing it raises.
        hint: what that error advises.
    """
    target, _, name = spec.rpartition(":")
    try:
        module = _import_file(Path(target), kind) if target.endswith(".py") else _import_module(target)
        found = getattr(module, name, None)
    except (Exception, SystemExit) as error:
        raise raised(error, spec, kind, hint) from error
    if not callable(found):
        problem = "nothing" if found is None else "no function"
        raise kind(f"{target} has {problem} called {name!r}", where=spec, hint=hint)
    return found  # type: ignore[no-any-return]  # getattr gives Any; callable() was checked


def raised(error: BaseException, spec: str, kind: type[EdgeGapError], hint: str) -> EdgeGapError:
    """What the person's code raised (a script may also end itself: SystemExit), with the line that was running."""
    if isinstance(error, EdgeGapError):
        return error
    target = spec.rpartition(":")[0]
    if isinstance(error, ModuleNotFoundError) and error.name and f"{target}.".startswith(f"{error.name}."):
        return kind(f"no module is called {error.name!r}", where=spec, hint=hint)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in (__file__, importlib.__file__) and not frame.filename.startswith("<frozen")
    ]
    line = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return kind(f"raised {type(error).__name__}: {error}{line}", where=spec, hint=hint)


def _import_file(path: Path, kind: type[EdgeGapError]) -> ModuleType:
    if not path.is_file():
        raise kind("no such file", where=str(path), hint="Check the path before the colon.")
    _search_first(path.parent)
    name = f"usercode_{path.stem}"
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise kind("not a Python file", where=str(path), hint="Check the path before the colon.")
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
