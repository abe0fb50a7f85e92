"""Target profiles: the device that a bundle is made for, as TOML files in `targets/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from edgegap.resources import resource
from edgegap.settings_file import SettingsFile, read_settings

Machine = Literal["x86_64", "aarch64", "armv7l"]
RUNTIMES = ("onnxruntime", "ai-edge-litert", "tflite-runtime")


@dataclass(frozen=True)
class Emulator:
    """How QEMU's user mode stands in for a target.

    The kernels of both runtimes are chosen by what Linux says of the CPU; QEMU 7.2 passes the host's files through, so
    an emulated ARM board brings its own.

    Args:
        cpu: QEMU's name of the CPU, for `-cpu`.
        model: the board's name, as its device tree has it.
        features: as /proc/cpuinfo has them, separated by spaces.
        khz: the highest clock.
        implementer: who designed the CPU; this and the next three are ARM's, 0 on x86.
        variant: major revision of the CPU.
        part: number of the CPU's design.
        revision: minor revision of the CPU.
    """

    cpu: str
    model: str
    features: str
    khz: int
    implementer: int = 0
    variant: int = 0
    part: int = 0
    revision: int = 0


@dataclass(frozen=True)
class Target:
    """A target profile.

    Args:
        name: the file's stem.
        description: one sentence on what it is.
        os: its operating system, in words.
        python: the version of its Python, such as '3.11'.
        machine: the architecture, as `uname -m` prints it.
        cpu: the CPU's name.
        isa: what /proc/cpuinfo calls the instructions that int8 kernels are chosen by and that it has.
        cores: of the CPU.
        memory_mib: physical memory.
        activation: the type of activations in int8.onnx that ONNX Runtime is fastest with there.
        threads: per inference.
        runtimes: by pip's name, the newest version that has a wheel for this Python and machine.
        session: options that ONNX Runtime needs there for int8 models.
        sources: where these facts can be checked.
        emulator: how to emulate it; None where it cannot be.
    """

    name: str
    description: str
    os: str
    python: str
    machine: Machine
    cpu: str
    isa: tuple[str, ...]
    cores: int
    memory_mib: int
    activation: Literal["uint8", "int8"]
    threads: int
    runtimes: dict[str, str]
    session: dict[str, str]
    sources: tuple[str, ...]
    emulator: Emulator | None = None


def load_target(name_or_path: str) -> Target:
    """A profile of EdgeGAP's own by name, or a user's file by path.

    Raises:
        SettingsError: an unknown name, a file that is not TOML, an unknown or missing key, a value of another type, or
            one that no machine can have.
    """
    file = read_settings(resource("targets", name_or_path))
    target = file.build(Target, name=file.path.stem)
    _check(target, file)
    return target


def _check(target: Target, file: SettingsFile) -> None:
    if not re.fullmatch(r"3\.\d+", target.python):
        raise file.error(f"'python' is '{target.python}'", "python", hint="Give a version such as 3.11.")
    for key in ("cores", "memory_mib", "threads"):
        if getattr(target, key) < 1:
            raise file.error(f"'{key}' is {getattr(target, key)}: less than 1", key)
    if target.threads > target.cores:
        raise file.error(f"'threads' is {target.threads}, more than the {target.cores} cores", "threads")
    if not target.runtimes:
        raise file.error("'runtimes' is empty", "runtimes", hint=f"Name some of: {', '.join(RUNTIMES)}.")
    for name, version in target.runtimes.items():
        if name not in RUNTIMES:
            hint = f"Allowed here: {', '.join(RUNTIMES)}."
            raise file.error(f"unknown runtime 'runtimes.{name}'", "runtimes", name, hint=hint)
        if not re.fullmatch(r"\d+(\.\d+)*", version):
            what = f"'runtimes.{name}' is '{version}': not one exact version"
            raise file.error(what, "runtimes", name, hint="Give a version such as 1.32.0.")
    if target.emulator is not None:
        _check_emulator(target.emulator, target.machine, file)


def _check_emulator(emulator: Emulator, machine: Machine, file: SettingsFile) -> None:
    if emulator.khz < 1:
        raise file.error(f"'emulator.khz' is {emulator.khz}: less than 1", "emulator", "khz")
    arm = machine != "x86_64"
    for key, largest in (("implementer", 0xFF), ("variant", 0xF), ("part", 0xFFF), ("revision", 0xF)):
        value = getattr(emulator, key)
        if not 0 <= value <= largest:
            what = f"'emulator.{key}' is {value:#x}: not in 0..{largest:#x}"
            raise file.error(what, "emulator", key, hint="It is a field of ARM's MIDR_EL1 register.")
    if arm and not (emulator.implementer and emulator.part):
        hint = "They stand in the board's /proc/cpuinfo as 'CPU implementer' and 'CPU part'."
        raise file.error("'emulator.implementer' and 'emulator.part' are needed for ARM", "emulator", hint=hint)
