"""Run an artifact of a bundle over images, and read its integers."""

from __future__ import annotations

from collections.abc import Sequence
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
from edgegap.run import Job, Result
from edgegap.run.devices import desktop
from edgegap.run.pool import run_jobs

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
        """The signed integers behind outputs [n, classes]: float32 behind a dequantize, uint8 or int8.

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


@dataclass(frozen=True)
class Prediction:
    """An artifact to run over images.

    Args:
        artifact: an .onnx or .tflite file.
        images: what to run.
        input_grid: of the integers that the artifact takes; None where it takes floats.
        threads: for the runtime.
        tensors: further tensors to bring back.
        optimized: also bring back ONNX Runtime's optimized model.
    """

    artifact: Path
    images: ImageSet
    input_grid: Grid | None = None
    threads: int = 1
    tensors: tuple[str, ...] = ()
    optimized: bool = False

    def job(self) -> Job:
        """The job that makes it; images that have to be turned into integers are saved beside the others."""
        fed = feed(self.images, self.artifact, self.input_grid)
        return Job(
            self.artifact,
            runtime_of(self.artifact),
            fed.path,
            fed.table,
            threads=self.threads,
            tensors=self.tensors,
            optimized=self.optimized,
        )


def predict(predictions: Sequence[Prediction], progress: Progress, *, folder: Path | None = None) -> list[Result]:
    """Run artifacts over images on this machine, side by side where it has the processors.

    Args:
        predictions: what to run.
        progress: told how far it is.
        folder: to keep what is done in, so that the same predictions go on there after an interruption.
    """
    names = ", ".join(dict.fromkeys(prediction.artifact.name for prediction in predictions))
    devices = desktop(len(predictions), max(prediction.threads for prediction in predictions))
    jobs = [prediction.job() for prediction in predictions]
    pooled = run_jobs(jobs, devices, lambda done, total: progress(f"running {names}", done, total), folder=folder)
    return pooled.results
