"""Run a command to its end and say what it cost."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

_INTERVAL = 0.02
_MIB = 2**20
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cost:
    """What a command cost.

    Args:
        status: exit status.
        seconds: wall time from start to end, the interpreter's own start included.
        cpu_seconds: user and system time of the command and all its children; hardly changes when others load the
            machine, as the wall time does.
        peak_mib: the largest sum of the resident memory of the process and its descendants, looked at every 20 ms.
            Pages that they share count for each of them.
        largest_mib: the largest resident memory of any one of them, as the kernel counted it.
        stderr: all of it.
    """

    status: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    largest_mib: float
    stderr: str


def run(command: list[str]) -> Cost:
    """Run a command, its stdout thrown away. Linux only: memory is read from /proc."""
    with tempfile.TemporaryFile("w+") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        peak = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, _resident(process.pid))
            time.sleep(_INTERVAL)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)  # it is reaped: Popen must not wait for it again
        stderr.seek(0)
        cpu = usage.ru_utime + usage.ru_stime
        largest = usage.ru_maxrss * 1024  # Linux counts KiB
        return Cost(process.returncode, seconds, cpu, peak / _MIB, largest / _MIB, stderr.read())


def _resident(pid: int) -> int:
    """Resident bytes of a process and its descendants; one that has just ended counts nothing."""
    process = Path(f"/proc/{pid}")
    try:
        own = int((process / "statm").read_text().split()[1]) * _PAGE
        command = (process / "cmdline").read_bytes()
        children = [int(child) for tasks in process.glob("task/*/children") for child in tasks.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return own + sum(_resident(child) for child in children if _has_begun(child, command))


def _has_begun(child: int, parents_command: bytes) -> bool:
    """Whether a child runs its own program: between fork and exec it still shows its parent's memory as its own."""
    try:
        return Path(f"/proc/{child}/cmdline").read_bytes() != parents_command
    except (FileNotFoundError, ProcessLookupError):
        return False
