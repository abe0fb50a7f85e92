"""What a Linux device says of its clock, its temperature and its throttling. Travels beside bencher.py.

Numbers as the device gives them, None for what it does not tell; the host puts them into words.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

SYS = Path("/sys")

_CPU_ZONES = ("cpu", "soc", "x86_pkg")
"""What the thermal zones of CPUs are called: cpu-thermal (Raspberry Pi), soc-thermal, x86_pkg_temp."""


def conditions(sys: Path = SYS, vcgencmd: str = "vcgencmd") -> dict[str, int | None]:
    """A sample, now.

    Args:
        sys: where sysfs is.
        vcgencmd: the Raspberry Pi's own tool; need not exist.

    Returns:
        khz: of the fastest clock domain. millicelsius: of the warmest zone that is a CPU's. get_throttled: vcgencmd's
        bits. cooling: how far the kernel has slowed the CPU down to cool it, 0 for not at all. throttle_count: how
        often an x86 CPU has slowed itself down since it started.
    """
    cpu = sys / "devices" / "system" / "cpu"
    thermal = sys / "class" / "thermal"
    zones = (zone for zone in thermal.glob("thermal_zone*") if _text(zone / "type").lower().startswith(_CPU_ZONES))
    coolers = (device for device in thermal.glob("cooling_device*") if "cpufreq" in _text(device / "type"))
    counts = [
        count for path in cpu.glob("cpu*/thermal_throttle/*_throttle_count") if (count := _number(path)) is not None
    ]
    return {
        "khz": _largest(cpu.glob("cpufreq/policy*/scaling_cur_freq")),
        "millicelsius": _largest(zone / "temp" for zone in zones),
        "get_throttled": _get_throttled(vcgencmd),
        "cooling": _largest(device / "cur_state" for device in coolers),
        "throttle_count": sum(counts) if counts else None,
    }


def governor(sys: Path = SYS) -> str | None:
    """How the kernel chooses the clock, such as 'ondemand' or 'performance'."""
    found = sorted({_text(path) for path in sys.glob("devices/system/cpu/cpufreq/policy*/scaling_governor")} - {""})
    return ", ".join(found) or None


def _get_throttled(vcgencmd: str) -> int | None:
    """The bits of 'throttled=0x50005'."""
    command = shutil.which(vcgencmd)
    if command is None:
        return None
    try:
        done = subprocess.run([command, "get_throttled"], capture_output=True, text=True, timeout=5, check=True)  # noqa: S603  (no word of it is a user's)
        return int(done.stdout.partition("=")[2], 16)
    except (OSError, subprocess.SubprocessError, ValueError):  # no permission, no firmware, another answer
        return None


def _largest(paths: Iterable[Path]) -> int | None:
    return max((value for path in paths if (value := _number(path)) is not None), default=None)


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # zones that are switched off cannot be read
        return ""
