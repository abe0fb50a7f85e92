"""A runtime's wheels for another machine, installed with this machine's pip.

pip verifies each wheel by the hash that the package index gives. Wheels are unpacked, never executed.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from edgegap.errors import DeviceError
from edgegap.run.emulate.commands import run

_MANYLINUX = (17, 27, 28, 31, 34, 35, 36)
"""Minor versions of the glibc 2.x that wheels are built against; Debian 12 has 2.36."""

_NUMPY = {"tflite-runtime": "1.26.4"}  # under NumPy 2 its import succeeds, and its Interpreter raises SystemError
_NEWEST_NUMPY = "2.4.6"


def require_pip() -> None:
    """Check that this Python has pip.

    Raises:
        DeviceError: it has not.
    """
    if importlib.util.find_spec("pip") is None:
        raise DeviceError(
            "emulated boards get their runtimes by pip, and this Python has none",
            where=sys.executable,
            hint="Install it: python -m ensurepip",
        )


def requirements(runtime: str, version: str, *, numpy: bool) -> tuple[str, ...]:
    """What to install, as pip reads it: the runner imports a runtime and NumPy, and what else these ask for stays out.

    Args:
        runtime: as pip names it.
        version: of the runtime.
        numpy: NumPy too; not where the system's own is used.
    """
    numpys = (f"numpy=={_NUMPY.get(runtime, _NEWEST_NUMPY)}",) if numpy else ()
    return (f"{runtime}=={version}", *numpys)


def install(wanted: tuple[str, ...], machine: str, python: str, folder: Path) -> None:
    """Install wheels for another machine.

    Args:
        wanted: from `requirements`.
        machine: the architecture, as `uname -m` prints it.
        python: version of its Python, such as '3.11'.
        folder: its site-packages.

    Raises:
        DeviceError: pip is missing, or finds no such wheel.
        DiskError: no room.
    """
    require_pip()
    digits = python.replace(".", "")
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in reversed(_MANYLINUX)]
    platforms += [f"--platform=manylinux2014_{machine}", f"--platform=linux_{machine}"]
    abis = [f"--abi={abi}" for abi in (f"cp{digits}", "abi3", "none")]
    which = [*platforms, *abis, "--implementation=cp", f"--python-version={python}", "--only-binary=:all:"]
    where = ["--no-deps", "--no-compile", "--no-input", "--quiet", "--disable-pip-version-check", f"--target={folder}"]
    # pip unpacks in TMPDIR first: on the same disk, so that one place has to have room.
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "install"]
    names = " and ".join(wanted)
    run(f"install {names}", [*pip, *where, *which, *wanted], environment={"TMPDIR": str(temporary)})
    temporary.rmdir()
