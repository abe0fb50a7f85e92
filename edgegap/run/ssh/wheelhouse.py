"""Choosing the wheels that a device without internet needs from a folder on the host."""

from __future__ import annotations

import email
import shlex
import zipfile
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from edgegap.errors import InputError
from edgegap.run.ssh.facts import Facts

_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""PEP 600: the older names, by the minor version of glibc 2."""


def choose_wheels(folder: Path, requirements: Iterable[str], facts: Facts, provided: Iterable[str] = ()) -> list[Path]:
    """The newest wheels for a device that meet requirements, and all that these require in turn.

    Each requirement is met for itself; where two of them choose different versions, both are given, and the device's
    pip decides.

    Args:
        folder: holds wheels, for other platforms too.
        requirements: as pip takes them.
        facts: of the device.
        provided: names that the device has already.

    Raises:
        InputError: there is no such folder, or it lacks something; what, is named.
    """
    wheels = _compatible(folder, facts)
    markers = _markers(facts)
    skipped = {canonicalize_name(name) for name in provided}
    chosen: dict[Path, None] = {}
    missing: list[str] = []
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in skipped:
            continue
        fitting = [entry for entry in wheels.get(name, []) if requirement.specifier.contains(entry[0])]
        if not fitting:
            missing.append(f"{requirement.name}{requirement.specifier}")
            continue
        path = max(fitting)[2]
        if path not in chosen:
            chosen[path] = None
            waiting += [need for need in _required_by(path) if need.marker is None or need.marker.evaluate(markers)]
    if missing:
        names = sorted(set(missing))
        what = f"there is no wheel of {', '.join(names)} for Python {facts.python} on {facts.machine}"
        options = ["--only-binary=:all:", f"--python-version={facts.python}", "--dest", str(folder)]
        options += [f"--platform=manylinux_2_{minor}_{facts.machine}" for minor in (34, 28, 27, 17)]
        raise InputError(what, where=str(folder), hint=shlex.join(["pip", "download", *options, *names]))
    return list(chosen)


def _compatible(folder: Path, facts: Facts) -> dict[str, list[tuple[Version, int, Path]]]:
    """The wheels that the device can install, by name: version, how well the tag fits, file."""
    if not folder.is_dir():
        raise InputError("there is no such folder", where=str(folder), hint="`pip download --dest` fills one.")
    rank = {tag: -place for place, tag in enumerate(_tags(facts))}
    found: dict[str, list[tuple[Version, int, Path]]] = {}
    for path in folder.glob("*.whl"):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except ValueError as error:
            raise InputError("is not named as a wheel is", where=str(path), hint=str(error)) from error
        fits = [rank[tag] for tag in tags if tag in rank]
        if fits:
            found.setdefault(name, []).append((version, max(fits), path))
    return found


def _tags(facts: Facts) -> list[Tag]:
    """What the device's pip would accept, best first (PEP 425, PEP 600)."""
    python, machine = facts.python_version, facts.machine
    platforms = [f"linux_{machine}"]
    if facts.glibc is not None:
        for minor in range(int(facts.glibc.split(".")[1]), 4, -1):
            platforms.append(f"manylinux_2_{minor}_{machine}")
            if minor in _LEGACY:
                platforms.append(f"{_LEGACY[minor]}_{machine}")
    interpreter = f"cp{python[0]}{python[1]}"
    own = cpython_tags(python, platforms=platforms)
    return [*own, *compatible_tags(python, interpreter, platforms)]


def _markers(facts: Facts) -> dict[str, str]:
    """The environment that the requirements' markers ask for (PEP 508)."""
    version = f"{facts.python_version[0]}.{facts.python_version[1]}"
    cpython = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    linux = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
    python = {"python_version": version, "python_full_version": facts.python, "implementation_version": facts.python}
    return {**cpython, **linux, **python, "platform_machine": facts.machine, "extra": ""}


def _required_by(wheel: Path) -> list[Requirement]:
    """What a wheel's metadata requires."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            metadata = email.message_from_bytes(archive.read(name))
    except (OSError, StopIteration, zipfile.BadZipFile) as error:
        raise InputError("is not a wheel", where=str(wheel), hint="Download it again.") from error
    return [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
