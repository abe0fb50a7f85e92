"""Marks inferences for the plugin that counts instructions: `python -I counter.py job.json`.

Its events are runner.py's. It travels beside that file and needs what that needs. Of its job it takes `artifact`,
`runtime`, `threads`, `tensors`, `batch` and `optimized`.

A mark is an attempt to close a file that is not open (emulate/icount.c): mark 0, then mark 1 with nothing in between,
which says what a mark itself costs, then one mark behind each of RUNS inferences.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from edgegap.run import runner
else:  # it lies beside this file, whose folder `python -I` leaves out of sys.path
    spec = importlib.util.spec_from_file_location("runner", Path(__file__).with_name("runner.py"))
    runner = sys.modules["runner"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)

MARK = 0x7E570000
WARM_UP = 3
RUNS = 3


def mark(number: int) -> None:
    """What is counted so far belongs to mark `number`."""
    with contextlib.suppress(OSError):
        os.close(MARK + number)


def execute(job: dict[str, Any], folder: Path, events: Any) -> None:
    """Load the artifact and run it on zeros: kernels take as many instructions for any values."""
    runtime = runner.load(job, "artifact", runner.verified(folder, job["artifact"]), folder)
    expected = runtime.input()
    events.send("ready", runtime=job["runtime"], version=runtime.version, inputs=[expected], **runtime.facts())
    values = np.zeros(expected["shape"], expected["dtype"])
    gc.disable()  # a collection in between would be counted
    for _ in range(WARM_UP):
        runtime.run(values)
    mark(0)
    mark(1)
    for number in range(RUNS):
        runtime.run(values)
        mark(2 + number)
    events.send("done", files=[], optimized=None)


if __name__ == "__main__":
    sys.exit(runner.main(Path(sys.argv[1]), execute))
