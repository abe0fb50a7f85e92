"""How a target is emulated: QEMU, a Debian root, an environment for each runtime, and the board's description."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from edgegap.errors import DeviceError, SettingsError
from edgegap.progress import Progress
from edgegap.run import runner
from edgegap.run.emulate.board import write_board
from edgegap.run.emulate.commands import run
from edgegap.run.emulate.debian import unpack
from edgegap.run.emulate.parts import Part
from edgegap.run.emulate.wheels import install, requirements
from edgegap.run.environments import python_for
from edgegap.run.target import Emulator, Target

_QEMU_SUITE = "bookworm"  # QEMU 7.2: the newest that Debian 12 has, and what every figure was measured with
_SUITES = {"3.11": "bookworm", "3.13": "trixie"}
"""Debian's releases by their Python: those that Raspberry Pi OS is made from."""

_ARCHITECTURES = {"aarch64": "arm64", "armv7l": "armhf", "x86_64": "amd64"}
_QEMU = {"aarch64": "qemu-aarch64", "armv7l": "qemu-arm", "x86_64": "qemu-x86_64"}

_PYTHON = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1", "libatomic1")

_MODULES = {
    "onnxruntime": "onnxruntime",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}

_SET_UP = "Run: edgegap doctor --setup-emulator"


class Emulation:
    """The parts of one target's emulation, and the command lines that they make.

    Args:
        target: with an emulator.

    Attributes:
        own_python: whether this machine's Python and runtimes run there, because only the kind of CPU is another.

    Raises:
        SettingsError: the target has no emulator, or one that cannot be set up.
    """

    def __init__(self, target: Target) -> None:
        if target.emulator is None:
            raise SettingsError(f"target '{target.name}' has no emulator", hint="Run on the machine itself: --host.")
        self.target = target
        self.emulator: Emulator = target.emulator
        self.own_python = target.machine == platform.machine()
        if not self.own_python and target.python not in _SUITES:
            raise SettingsError(
                f"target '{target.name}' has Python {target.python}, and no Debian release is known with it",
                hint=f"These can be emulated: Python {' and '.join(_SUITES)}.",
            )

    def parts(self) -> list[Part]:
        """All of them, in the order in which they are made."""
        return [self.qemu(), *([] if self.own_python else [self.root()]), self.board(), *self.environments().values()]

    def qemu(self) -> Part:
        """QEMU for this machine; Debian's dynamic build, because the static one cannot load plugins."""
        architecture = _host_architecture()

        def make(folder: Path, progress: Progress) -> None:
            unpack(_QEMU_SUITE, architecture, ("qemu-user",), folder, progress)

        return Part("qemu", (_QEMU_SUITE, architecture), make)

    def root(self) -> Part:
        """A Debian root with the target's Python."""
        suite, architecture = _SUITES[self.target.python], _ARCHITECTURES[self.target.machine]
        packages = (*_PYTHON, "python3-numpy") if self._debian_numpy else _PYTHON

        def make(folder: Path, progress: Progress) -> None:
            unpack(suite, architecture, packages, folder, progress)
            for name in ("blas/libblas.so.3", "lapack/liblapack.so.3"):  # a choice that installing would make
                for library in folder.glob(f"usr/lib/*/{name}"):
                    (library.parent.parent / library.name).symlink_to(name)

        return Part(f"root-{architecture}", (suite, *packages), make)

    def board(self) -> Part:
        """QEMU's `-L` folder: the root's folders, and /proc and /sys that are the board's."""
        root = None if self.own_python else self.root().folder.name
        recipe = (repr(self.emulator), self.target.machine, self.target.cpu, str(self.target.cores), str(root))

        def make(folder: Path, progress: Progress) -> None:
            progress(f"board {self.target.name}", 0, None)
            write_board(folder, self.target, self.emulator)
            for name in ("etc", "lib", "lib64", "usr") if root else ():
                if (folder.parent / str(root) / name).exists():
                    (folder / name).symlink_to(f"../{root}/{name}")

        return Part(f"board-{self.target.name}", recipe, make)

    def environments(self) -> dict[str, Part]:
        """By runtime, a virtual environment of the target's Python."""
        return {} if self.own_python else {name: self._environment(name) for name in self.target.runtimes}

    def python(self, runtime: str, *options: str) -> list[str]:
        """The command line of the emulated interpreter that can import a runtime.

        Args:
            runtime: as pip names it.
            options: further ones for QEMU.

        Raises:
            DeviceError: the target has no such runtime, or the emulator is not set up.
        """
        if runtime not in self.target.runtimes:
            known = ", ".join(self.target.runtimes)
            raise DeviceError(f"{runtime} does not run on {self.target.name}", hint=f"These do: {known}.")
        self.require()
        if self.own_python:
            return [*self._qemu(*options), *python_for(runtime)]
        return self._interpreter(self.environments()[runtime].folder, *options)

    def require(self) -> None:
        """Check that everything is set up.

        Raises:
            DeviceError: something is missing.
        """
        if missing := [part.name for part in self.parts() if not part.folder.is_dir()]:
            what = f"the emulator is not set up: {', '.join(missing)} missing"
            raise DeviceError(what, where=f"emulated {self.target.name}", hint=_SET_UP)

    def _qemu(self, *options: str) -> list[str]:
        root = self.qemu().folder
        # It brings its own C library and what else it needs; set in the environment, these would reach the guest.
        loader = next(root.glob("lib*/ld-linux-*.so.*"))
        libraries = ":".join(str(path) for path in (*root.glob("lib/*-linux-gnu"), *root.glob("usr/lib/*-linux-gnu")))
        host = [str(loader), "--library-path", libraries, str(root / "usr" / "bin" / _QEMU[self.target.machine])]
        guest = ["-cpu", self.emulator.cpu, "-L", str(self.board().folder), "-U", "LD_LIBRARY_PATH,LD_PRELOAD"]
        return [*host, *options, *guest]

    @property
    def _debian_numpy(self) -> bool:
        return self.target.machine == "armv7l"  # where NumPy has no wheels

    def _environment(self, runtime: str) -> Part:
        root, target = self.root().folder, self.target
        wanted = requirements(runtime, target.runtimes[runtime], numpy=not self._debian_numpy)

        def make(folder: Path, progress: Progress) -> None:
            progress(f"{runtime} {target.runtimes[runtime]} for {target.machine}", 0, None)
            interpreter = folder / "bin" / f"python{target.python}"
            interpreter.parent.mkdir()
            interpreter.symlink_to(f"../../{root.name}/usr/bin/{interpreter.name}")
            # Its library is named by its place on the host: of QEMU 7.2's system calls only some look under `-L`.
            home = f"home = {root / 'usr' / 'bin'}\n"
            system = f"include-system-site-packages = {str(self._debian_numpy).lower()}\n"
            (folder / "pyvenv.cfg").write_text(home + system, encoding="utf-8")
            site = folder / "lib" / f"python{target.python}" / "site-packages"
            install(wanted, target.machine, target.python, site)
            self._try(runtime, folder)

        return Part(f"{runtime}-{_ARCHITECTURES[target.machine]}", (str(root), *wanted), make)

    def _interpreter(self, environment: Path, *options: str) -> list[str]:
        return [*self._qemu(*options), str(environment / "bin" / f"python{self.target.python}")]

    def _try(self, runtime: str, environment: Path) -> None:
        """Import what the runner does, once: the runtime is the one that was asked for, and the bytecode is kept."""
        load = f"import runpy, {_MODULES[runtime]}; runpy.run_path({runner.__file__!r})"
        code = f"{load}; import importlib.metadata; print(importlib.metadata.version({runtime!r}))"
        command = [*self._interpreter(environment), "-I", "-c", code]
        said, version = run(f"import {runtime}", command).strip(), self.target.runtimes[runtime]
        if said != version:
            raise DeviceError(f"{runtime} {version} was installed, and {said} is imported", where=str(environment))


def _host_architecture() -> str:
    machine = platform.machine()
    if os.name != "posix" or machine not in _ARCHITECTURES or platform.system() != "Linux":
        raise DeviceError(
            f"boards cannot be emulated on {platform.system()} on {machine}",
            where="this machine",
            hint="QEMU's user mode needs Linux on x86-64 or AArch64.",
        )
    return _ARCHITECTURES[machine]
