"""Which devices a command runs on: this machine, boards behind ssh, or an emulated one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from edgegap.run.device import Device
from edgegap.run.local import Local


def desktop(jobs: int, threads: int) -> Sequence[Device]:
    """This machine, as often as `jobs` of so many threads can run side by side on its processors."""
    return [Local() for _ in range(max(1, min(jobs, len(os.sched_getaffinity(0)) // threads)))]
