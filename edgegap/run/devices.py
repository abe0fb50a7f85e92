"""Which devices a command runs on: this machine, boards behind ssh, or an emulated one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgegap.errors import InputError
from edgegap.progress import Progress, silent
from edgegap.run.device import Device
from edgegap.run.environments import python_for
from edgegap.run.local import DESKTOP, Local
from edgegap.run.target import Target, load_target

_TASKS_OF_A_HOST = 2
"""Side by side on a board behind ssh, where it has the cores: more would hardly be faster and need more memory."""


@dataclass(frozen=True)
class Where:
    """Where a user wants something to run.

    Args:
        target: a profile's name, or a path.
        hosts: for ssh.
        emulate: in an emulator on this machine.
        wheelhouse: a folder of wheels for devices without internet.
    """

    target: str = DESKTOP
    hosts: tuple[str, ...] = ()
    emulate: bool = False
    wheelhouse: Path | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether that is another device than this machine."""
        return bool(self.hosts) or self.emulate

    def profile(self) -> Target:
        """The target's profile.

        Raises:
            InputError: the call does not say how to reach the device, or says it twice.
            SettingsError: no such profile, or a mistake in it.
        """
        if self.hosts and self.emulate:
            raise InputError("--host and --emulate exclude each other", hint="Leave one out.")
        if len(set(self.hosts)) < len(self.hosts):
            raise InputError("a host is given twice", where="--host", hint="Name each device once.")
        if self.wheelhouse is not None and not self.wheelhouse.is_dir():
            raise InputError("no such folder", where=str(self.wheelhouse), hint="Give a folder of .whl files.")
        target = load_target(self.target)
        if target.name != DESKTOP and not self.elsewhere:
            hint = "Reach the device with --host USER@HOST, or use an emulated one with --emulate."
            raise InputError(f"'{target.name}' is not this machine", where="--target", hint=hint)
        return target


def desktop(jobs: int, threads: int, progress: Progress = silent) -> Sequence[Device]:
    """This machine, as often as `jobs` of so many threads can run side by side on its processors."""
    python = partial(python_for, progress=progress)
    return [Local(python=python) for _ in range(_side_by_side(jobs, threads))]


def open_devices(where: Where, jobs: int = 1, threads: int = 1, progress: Progress = silent) -> Sequence[Device]:
    """The devices that a user wants, ready to run tasks.

    Args:
        where: what the user said.
        jobs: how many tasks there will be; a host or this machine counts more than once where it can run several.
        threads: of each.
        progress: told what has to be set up first.

    Raises:
        InputError: the call does not say how to reach the device.
        SettingsError: no such profile, or a mistake in it.
        DeviceError: the emulator is not set up.
    """
    target = where.profile()
    if where.hosts:
        from edgegap.run.ssh import Ssh  # noqa: PLC0415  # what most calls need not wait for

        each = max(1, min(jobs, target.cores // threads, _TASKS_OF_A_HOST))
        hosts = [host for host in where.hosts for _ in range(each)]
        return [Ssh(host, target, wheelhouse=where.wheelhouse, progress=progress) for host in hosts]
    if where.emulate:
        from edgegap.run.emulate import emulated  # noqa: PLC0415  # likewise

        return [emulated(target) for _ in range(_side_by_side(jobs, threads))]
    return desktop(jobs, threads, progress)


def _side_by_side(jobs: int, threads: int) -> int:
    return max(1, min(jobs, len(os.sched_getaffinity(0)) // threads))
