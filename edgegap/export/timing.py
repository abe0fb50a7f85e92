"""What layers in float cost in time: the int8 files with and without each of them take turns on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgegap.bench.artifacts import Artifact
from edgegap.bench.measure import measure_latency
from edgegap.check.predict import runtime_of
from edgegap.progress import Progress
from edgegap.run.local import Local
from edgegap.run.steady import warmup_rounds

SECONDS = 10
"""For each runtime, at most; it ends earlier where the medians are known."""


def cost_us(file: Path, without: Mapping[str, Path], progress: Progress) -> dict[str, float]:
    """By how much each layer in float makes `file` slower with one thread, microseconds; below 0 where faster.

    A cost is the median over rounds of the difference of that round's medians, so that what slows a round down cancels.

    Args:
        file: an .onnx or .tflite file with some layers in float.
        without: by the layer's name, the same network with that layer in int8 too.
        progress: told how far it is.

    Raises:
        DeviceError: and its kinds: the runtime cannot run a file.
    """
    artifacts = [Artifact("int8", file), *(Artifact(name, path) for name, path in without.items())]
    latency = measure_latency(
        Local(),
        artifacts,
        runtime_of(file),
        1,
        lambda done, total: progress(f"timing {file.name}, seconds", done, total),
        seconds=SECONDS,
        sustain=False,
    )
    cut, _ = warmup_rounds(latency.series)
    mine, *others = (np.median(times[cut:], axis=1) for times in latency.series)
    return {name: float(np.median(mine - other)) / 1e3 for name, other in zip(without, others, strict=True)}
