"""What a record was measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("edgegap", "numpy", "scipy", "onnx", "onnx-ir", "onnxruntime", "ai-edge-litert")

_INT8_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm", "sve")
"""What Linux calls the instructions that int8 kernels are chosen by: x86, then ARM."""


@dataclass(frozen=True)
class Environment:
    """A machine and what runs on it. It names no user, host or path.

    Args:
        python: version.
        platform: operating system, its release and the architecture.
        cpu: the model's name, or the architecture where the system does not tell.
        cpus: how many the system has.
        isa: instruction sets that matter to int8 kernels; empty where the system does not tell.
        memory_mib: physical memory; None where the system does not tell.
        versions: of the packages that compute; those that are not installed are left out.
    """

    python: str
    platform: str
    cpu: str
    cpus: int | None
    isa: tuple[str, ...]
    memory_mib: int | None
    versions: dict[str, str]


def environment(cpuinfo: Path = Path("/proc/cpuinfo")) -> Environment:
    """This machine, now.

    Args:
        cpuinfo: Linux's description of the CPU; need not exist.
    """
    try:
        described = _fields(cpuinfo.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        described = {}
    # x86 and 32-bit ARM name the processor, a Raspberry Pi the board.
    names = (described.get("Model"), described.get("model name"), platform.processor(), platform.machine())
    flags = set((described.get("flags") or described.get("Features") or "").split())
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=next((name for name in names if name), "unknown"),
        cpus=os.cpu_count(),
        isa=tuple(flag for flag in _INT8_FLAGS if flag in flags),
        memory_mib=_memory_mib(),
        versions={name: found for name in _PACKAGES if (found := _version(name))},
    )


def _fields(cpuinfo: str) -> dict[str, str]:
    """`key : value` lines; of several processors, the first."""
    found: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def _memory_mib() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (AttributeError, ValueError, OSError):  # no sysconf, or it does not know the name
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
