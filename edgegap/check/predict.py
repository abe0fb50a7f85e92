"""Run an artifact of a bundle over images, and read its integers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgegap.check.feed import feed
from edgegap.check.images import ImageSet
from edgegap.errors import InputError
from edgegap.progress import Progress
from edgegap.quantize.parameters import SIGNED, Grid
from edgegap.run import Job, Result, run_local

RUNTIMES: dict[str, Literal["onnxruntime", "ai-edge-litert"]] = {".onnx": "onnxruntime", ".tflite": "ai-edge-litert"}
"""The runtime that runs a file of each suffix."""


@dataclass(frozen=True)
class OutputGrid:
    """The grid of the output integers of an int8 artifact, signed.

    Args:
        scale: of one step.
        zero_point: in -128..127.
    """

    scale: float
    zero_point: int

    def integers(self, outputs: NDArray[np.generic]) -> NDArray[np.int16]:
        """The signed integers behind outputs [n, classes]: float32 behind a dequantize, uint8 (ONNX) or int8 (TFLite).

        A float32 output is (q - zero_point) * scale rounded once, so that dividing gives q back exactly.
        """
        if outputs.dtype == np.uint8:
            return outputs.astype(np.int16) - np.int16(SIGNED)
        if outputs.dtype == np.int8:
            return outputs.astype(np.int16)
        steps = np.rint(outputs.astype(np.float64) / self.scale)
        return (steps + self.zero_point).astype(np.int16)


def runtime_of(artifact: Path) -> Literal["onnxruntime", "ai-edge-litert"]:
    """The runtime for a file, by its suffix."""
    if artifact.suffix not in RUNTIMES:
        raise InputError(f"is neither {' nor '.join(RUNTIMES)}", where=str(artifact))
    return RUNTIMES[artifact.suffix]


def predict(
    artifact: Path,
    images: ImageSet,
    progress: Progress,
    *,
    input_grid: Grid | None = None,
    threads: int = 1,
    tensors: tuple[str, ...] = (),
    optimized: bool = False,
) -> Result:
    """Run `artifact` over `images` in its runtime on this machine.

    Args:
        artifact: an .onnx or .tflite file.
        images: what to run.
        progress: told how far it is.
        input_grid: of the integers that the artifact takes; None where it takes floats.
        threads: for the runtime.
        tensors: further tensors to bring back.
        optimized: also bring back ONNX Runtime's optimized model.
    """
    runtime = runtime_of(artifact)
    fed = feed(images, artifact, input_grid)
    job = Job(artifact, runtime, fed.path, fed.table, threads=threads, tensors=tensors, optimized=optimized)
    stage = f"{artifact.name} in {runtime}"
    progress(stage, 0, len(images))

    def on_event(event: dict[str, object]) -> None:
        if event["event"] == "progress":
            progress(stage, int(str(event["done"])), len(images))

    return run_local(job, on_event)
