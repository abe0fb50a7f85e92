"""What Linux says of an emulated board's CPU, as files.

Both runtimes choose kernels by /proc/cpuinfo and /sys/devices/system/cpu, and crash where those are another
architecture's. QEMU opens a file under its `-L` folder first, and the host's where there is none there. QEMU 7.2 shows
the host's /proc/cpuinfo otherwise; from 8.2 on it writes one for AArch64 itself, by its own CPU model.
"""

from __future__ import annotations

from pathlib import Path

from edgegap.run.target import Emulator, Target

_SLOWEST_KHZ = 600_000


def write_board(folder: Path, target: Target, emulator: Emulator) -> None:
    """Write /proc and /sys of a board.

    Args:
        folder: what becomes the `-L` folder.
        target: the board.
        emulator: of that target.
    """
    if target.machine == "x86_64":
        _write(folder / "proc" / "cpuinfo", _x86_cpuinfo(target, emulator))
        return
    _write(folder / "proc" / "cpuinfo", _arm_cpuinfo(target, emulator))
    _write(folder / "proc" / "device-tree" / "model", f"{emulator.model}\0")
    for path, text in _arm_sysfs(target.cores, emulator.khz).items():
        _write(folder / "sys" / "devices" / "system" / "cpu" / path, f"{text}\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def _x86_cpuinfo(target: Target, emulator: Emulator) -> str:
    """The fields that say what a CPU can do."""
    fields = f"model name\t: {target.cpu}\nflags\t\t: {emulator.features}\n\n"
    return "".join(f"processor\t: {core}\n{fields}" for core in range(target.cores))


def _arm_cpuinfo(target: Target, emulator: Emulator) -> str:
    """The fields that Linux writes (arch/arm64/kernel/cpuinfo.c, arch/arm/kernel/setup.c), and a Pi's name."""
    fields = {
        "BogoMIPS": "108.00",
        "Features": emulator.features,
        "CPU implementer": f"0x{emulator.implementer:02x}",
        "CPU architecture": "8" if target.machine == "aarch64" else "7",
        "CPU variant": f"0x{emulator.variant:x}",
        "CPU part": f"0x{emulator.part:03x}",
        "CPU revision": str(emulator.revision),
    }
    lines = "".join(f"{key}\t: {value}\n" for key, value in fields.items())
    cores = "".join(f"processor\t: {core}\n{lines}\n" for core in range(target.cores))
    return f"{cores}Model\t\t: {emulator.model}\n"


def _arm_sysfs(cores: int, khz: int) -> dict[str, str]:
    """Files of /sys/devices/system/cpu and their text: all cores in one cluster of one package."""
    every = f"0-{cores - 1}"
    mask = f"{(1 << cores) - 1:x}"
    files = dict.fromkeys(("possible", "present", "online"), every) | {"kernel_max": str(cores - 1)}
    for core in range(cores):
        topology = {
            "physical_package_id": "0",
            "cluster_id": "0",
            "core_id": str(core),
            "core_siblings": mask,
            "core_siblings_list": every,
            "cluster_cpus": mask,
            "cluster_cpus_list": every,
            "package_cpus_list": every,
            "thread_siblings": f"{1 << core:x}",
            "thread_siblings_list": str(core),
            "core_cpus_list": str(core),
        }
        files |= {f"cpu{core}/topology/{name}": text for name, text in topology.items()}
        files[f"cpu{core}/cpufreq/cpuinfo_max_freq"] = str(khz)
        files[f"cpu{core}/cpufreq/cpuinfo_min_freq"] = str(min(khz, _SLOWEST_KHZ))
    return files
