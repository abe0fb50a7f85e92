"""What a device is and has, as the agent found it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """The agent's answer to `probe`.

    Attributes:
        python: the whole version of its python3.
        executable: the path of that.
        venv: whether it can make virtual environments with pip.
        numpy: whether it can import NumPy without an environment.
        system: its operating system, in words.
        machine: as `uname -m` prints it.
        glibc: version of the C library; None where it is another one.
        cpu: the name that /proc/cpuinfo gives; '' on many ARM boards.
        model: of the board, likewise.
        features: of the CPU, likewise.
        cores: that a process may use.
        memory_mib: physical memory.
        free_mib: room on the disk that `root` is on.
        root: the folder of all that EdgeGAP keeps there.
        writable: whether it may be written.
        environments: names of those that are set up.
    """

    python: str
    executable: str
    venv: bool
    numpy: bool
    system: str
    machine: str
    glibc: str | None
    cpu: str
    model: str
    features: list[str]
    cores: int
    memory_mib: int
    free_mib: int
    root: str
    writable: bool
    environments: list[str]

    @property
    def python_version(self) -> tuple[int, int]:
        """Major and minor."""
        major, minor = self.python.split(".")[:2]
        return int(major), int(minor)
