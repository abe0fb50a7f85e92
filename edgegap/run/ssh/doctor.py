"""Whether a board is ready for EdgeGAP, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgegap.errors import InputError
from edgegap.progress import Progress, silent
from edgegap.run.ssh.connection import Connection
from edgegap.run.ssh.facts import Facts
from edgegap.run.ssh.host import checked_host
from edgegap.run.ssh.refusals import refusal
from edgegap.run.ssh.ssh import Ssh
from edgegap.run.target import Target

ROOM_MIB = 500
"""For one runtime's environment (200 to 300 MiB), while pip unpacks it, and a job's images."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what.
        state: 'ok'; 'note', which EdgeGAP copes with; or 'missing', without which nothing runs.
        found: what is there.
        hint: what to do about it.
    """

    name: str
    state: Literal["ok", "note", "missing"]
    found: str
    hint: str | None = None


def examine(device: Ssh, runtimes: Sequence[str]) -> list[Finding]:
    """What a board has, against its profile and what the runtimes need.

    Raises:
        InputError: the profile has not one of the runtimes.
        DeviceError: it cannot be reached, or has no Python that will do.
    """
    facts = device.facts
    setups = [_runtime(device, runtime) for runtime in runtimes]
    to_do = any(setup.state != "ok" for setup in setups)
    return [
        Finding("system", "ok", ", ".join(filter(None, [facts.model, facts.system]))),
        *_hardware(facts, device.profile),
        _python(facts, device.profile),
        *(_needs(facts) if to_do else ()),
        *setups,
    ]


def purge(host: str, progress: Progress = silent) -> None:
    """Remove everything that EdgeGAP put on a board.

    Raises:
        InputError: `host` cannot be the name of one.
        DeviceError: it cannot be reached, or something cannot be removed.
    """
    connection = Connection(checked_host(host), progress)
    lines = connection.ask({"command": "purge"}).lines
    connection.close()
    if "refused" in lines:
        raise refusal(lines["refused"], host, "")


def _hardware(facts: Facts, profile: Target) -> list[Finding]:
    machine = Finding("machine", "ok", facts.machine)
    if facts.machine != profile.machine:
        hint = f"{profile.name} is {profile.machine}: name the target that this device is (`edgegap targets list`)."
        machine = Finding("machine", "missing", facts.machine, hint)
    lacking = [name for name in profile.isa if name not in facts.features]
    cpu = Finding("CPU", "ok", f"{facts.cpu or 'unnamed'}, {facts.cores} cores")
    if lacking:
        cpu = Finding("CPU", "note", cpu.found, f"It lacks {', '.join(lacking)} of {profile.name}'s {profile.cpu}.")
    memory = Finding("memory", "ok", f"{facts.memory_mib} MiB")
    if facts.memory_mib < 0.8 * profile.memory_mib:  # what the firmware keeps for itself is no difference
        memory = Finding("memory", "note", memory.found, f"{profile.name} has {profile.memory_mib} MiB.")
    return [machine, cpu, memory]


def _python(facts: Facts, profile: Target) -> Finding:
    found = f"{facts.python} ({facts.executable})"
    if ".".join(map(str, facts.python_version)) == profile.python:
        return Finding("Python", "ok", found)
    hint = f"{profile.name}'s versions of the runtimes are known to exist for Python {profile.python}."
    return Finding("Python", "note", found, hint)


def _needs(facts: Facts) -> list[Finding]:
    """What setting up a runtime takes."""
    room = Finding("disk", "ok", f"{facts.free_mib} MiB free")
    if not facts.writable:
        room = Finding("disk", "missing", "not writable", f"The user must be able to write {facts.root}.")
    elif facts.free_mib < ROOM_MIB:
        room = Finding("disk", "missing", room.found, f"Make room for {ROOM_MIB} MiB under {facts.root}.")
    venv = Finding("venv", "ok", "there")
    if not facts.venv:
        venv = Finding("venv", "missing", "none", "apt install python3-venv")
    return [room, venv]


def _runtime(device: Ssh, runtime: str) -> Finding:
    environment = device.environment(runtime)
    name = environment.requirements[0]
    if environment.name in device.facts.environments:
        return Finding(name, "ok", "set up")
    if environment.system_packages and not device.facts.numpy:
        return Finding(name, "missing", "no NumPy", "apt install python3-numpy")
    try:
        wheels = device.wheels(environment)
    except InputError as error:
        return Finding(name, "missing", str(error.what), error.hint)
    source = "the internet" if wheels is None else f"{len(wheels)} wheels of the wheelhouse"
    return Finding(name, "note", "not set up", f"It is on first use, from {source}.")
