"""The interpreters that run each runtime on this machine.

ONNX Runtime and LiteRT live beside EdgeGAP. tflite-runtime ended at 2.14.0: it needs NumPy 1 and has wheels up to
Python 3.11, so it gets an environment of its own, made on first use.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from edgegap.cache import MAKE_ROOM, cache
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import RuntimeFailure
from edgegap.progress import Progress, silent

_REQUIREMENTS = """\
numpy==1.26.4 \
--hash=sha256:ffa75af20b44f8dba823498024771d5ac50620e6915abac414251bd971b4529f \
--hash=sha256:d209d8969599b27ad20994c8e41936ee0964e6da07478d6c35016bc386b66ad4 \
--hash=sha256:666dbfb6ec68962c033a450943ded891bed2d54e6755e35e5835d63f4f6931d5 \
--hash=sha256:7ab55401287bfec946ced39700c053796e7cc0e3acbef09993a9ad2adba6ca6e
tflite-runtime==2.14.0 \
--hash=sha256:bb11df4283e281cd609c621ac9470ad0cb5674408593272d7593a2c6bde8a808 \
--hash=sha256:d38c6885f5e9673c11a61ccec5cad7c032ab97340718d26b17794137f398b780 \
--hash=sha256:195ab752e7e57329a68e54dd3dd5439fad888b9bff1be0f0dc042a3237a90e4d \
--hash=sha256:ce9fa5d770a9725c746dcbf6f59f3178233b3759f09982e8b2db8d2234c333b0
"""
"""For Python 3.10 on x86-64 and AArch64, then for 3.11: the runner needs 3.10, and later ones have no wheel."""

_PYTHONS = ("3.11", "3.10")
_MACHINES = ("x86_64", "aarch64")

_PROBE = "import os, sys, venv; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"
_IMPORTS = "import numpy, tflite_runtime.interpreter"


def python_for(runtime: str, progress: Progress = silent) -> list[str]:
    """The command line of an interpreter on this machine that can import a runtime.

    Args:
        runtime: as pip names it.
        progress: told when an environment has to be made first.

    Raises:
        RuntimeFailure: no environment can be made for it here; it says why.
        DiskError: there is no room for one.
    """
    if runtime != "tflite-runtime":
        return [sys.executable]
    base = _base_python()
    folder = (
        cache("environments") / sha256("\n".join([_REQUIREMENTS, platform.machine(), *base]).encode()).hexdigest()[:16]
    )
    if not folder.is_dir():
        progress("making an environment for tflite-runtime", 0, None)
        _make(folder, base[1])
    return [str(folder / "bin" / "python")]


def _base_python() -> tuple[str, str]:
    """Version and path of a Python that tflite-runtime has a wheel for: this one, or one on PATH."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        system = f"{platform.system()} on {platform.machine()}"
        raise RuntimeFailure(
            f"tflite-runtime has no package for {system}", where="this machine", hint="Use ai-edge-litert."
        )
    for command in (sys.executable, *(f"python{version}" for version in _PYTHONS)):
        try:
            found = subprocess.run([command, "-I", "-c", _PROBE], capture_output=True, text=True, check=False)  # noqa: S603  # our own list
        except OSError:
            continue
        version, _, path = found.stdout.strip().partition(" ")
        if found.returncode == 0 and version in _PYTHONS:  # what stands on PATH may be a shim with nothing behind it
            return version, path
    raise RuntimeFailure(
        f"tflite-runtime has no package for Python {platform.python_version()}, "
        f"and no Python {' or '.join(_PYTHONS)} is on PATH",
        where="this machine",
        hint="Install Python 3.11 so that `python3.11` starts it, or use ai-edge-litert.",
    )


def _make(folder: Path, python: str) -> None:
    """Make the environment beside its place and move it there when it works; another process may have been first."""
    with disk_errors(folder, MAKE_ROOM):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with passing_folder(folder) as staging:
            made = staging / "bin" / "python"
            # A Debian without python3-venv has no ensurepip, so EdgeGAP's own pip installs.
            _run("make it", [python, "-I", "-m", "venv", "--without-pip", str(staging)])
            requirements = staging / "requirements.txt"
            requirements.write_text(_REQUIREMENTS, encoding="utf-8")
            pip = [sys.executable, "-m", "pip", "--python", str(made), "install", "--quiet", "--no-input"]
            pinned = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(requirements)]
            _run("install it", [*pip, *pinned])
            _run("import it", [str(made), "-I", "-c", _IMPORTS])
            try:
                staging.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise


def _run(doing: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own commands
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        what = f"no environment for tflite-runtime: cannot {doing}"
        raise RuntimeFailure(what, where="this machine", hint=tail or f"{command[0]} ended with {done.returncode}.")
