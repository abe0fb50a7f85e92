"""The pinned virtual environment of each peer: made on first use in the user's cache, whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

from edgegap.cache import cache
from edgegap.disk import passing_folder

_HERE = Path(__file__).resolve().parent
_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
_LIMIT = 900
"""Seconds for an installation, downloads included."""
_PATIENCE = ["--timeout", "60", "--retries", "2"]
"""A download that stalls for a minute is cut off, and tried twice again."""


class Unavailable(Exception):  # noqa: N818  # it says what the peer is
    """An environment that cannot be made here, and why."""


@dataclass(frozen=True)
class Environment:
    """An interpreter and the packages beside it.

    Attributes:
        python: its interpreter.
        prefix: the folder that holds all of it.
    """

    python: Path
    prefix: Path

    @property
    def mib(self) -> float:
        """Its installed size."""
        files = (Path(folder, name) for folder, _, names in os.walk(self.prefix) for name in names)
        return sum(file.lstat().st_size for file in files) / 2**20

    def versions(self, packages: tuple[str, ...]) -> dict[str, str]:
        """What is installed of some packages."""
        sites = [str(site) for site in self.prefix.glob("lib/python*/site-packages")]
        found = {found.name.lower().replace("_", "-"): found.version for found in distributions(path=sites)}
        return {package: found[package] for package in packages if package in found}


OWN = Environment(Path(sys.executable), Path(sys.prefix))
"""The one that EdgeGAP itself runs in."""


def environment(name: str, python: str) -> Environment:
    """The environment of `NAME.txt`, a file of pinned requirements.

    Args:
        name: of the file.
        python: the version that the pins are for, such as '3.12'.

    Raises:
        Unavailable: it cannot be made.
    """
    requirements = _HERE / f"{name}.txt"
    pins = sha256(requirements.read_bytes()).hexdigest()[:12]
    folder = cache("peers") / f"{name}-{python}-{pins}"
    if not folder.is_dir():
        base = _interpreter(python)
        print(f"making the environment {name} ...", file=sys.stderr, flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with passing_folder(folder) as staging:
            _run([base, "-I", "-m", "venv", "--without-pip", str(staging)])
            pip = [sys.executable, "-m", "pip", "--python", str(staging / "bin" / "python")]
            _run([*pip, "install", "--quiet", "--no-input", *_PATIENCE, "--only-binary=:all:", "-r", str(requirements)])
            staging.rename(folder)
    return Environment(folder / "bin" / "python", folder)


def _interpreter(version: str) -> str:
    """A Python of this version: this one, or one on PATH. What stands there may be a shim with nothing behind it."""
    for command in (sys.executable, shutil.which(f"python{version}")):
        if command is not None:
            found = subprocess.run([command, "-I", "-c", _VERSION], capture_output=True, text=True, check=False)
            if found.stdout.strip() == version:
                return command
    raise Unavailable(f"needs Python {version}, and no python{version} is on PATH")


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"not installed after {_LIMIT // 60} minutes") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
        raise Unavailable(f"cannot be installed: {errors[-1].removeprefix('ERROR: ')}")
