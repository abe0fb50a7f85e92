"""Run an artifact of a bundle over images, and read its integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgegap.check.feed import feed
from edgegap.check.images import ImageSet
from edgegap.errors import DeviceError, InputError
from edgegap.progress import Progress
from edgegap.quantize.parameters import SIGNED, Grid
from edgegap.run import Device, Job, Result
from edgegap.run.devices import desktop
from edgegap.run.job import Runtime
from edgegap.run.pool import Batch, run_batches
from edgegap.run.shards import join, split

RUNTIMES: dict[str, Runtime] = {".onnx": "onnxruntime", ".tflite": "ai-edge-litert"}
"""The runtime that runs a file of each suffix."""

_SIDE_BY_SIDE = 2**29
"""Bytes of files whose runtimes work at the same time: each holds the weights of its own two or three times."""


@dataclass(frozen=True)
class OutputGrid:
    """The grid of the output integers of an int8 artifact, signed.

    Args:
        scale: of one step.
        zero_point: in -128..127; None where the last layer stays in float, and a step is only a unit.
    """

    scale: float
    zero_point: int | None

    def integers(self, outputs: NDArray[np.generic]) -> NDArray[np.int16] | NDArray[np.float64]:
        """The signed integers behind outputs [n, classes]: float32 behind a dequantize, uint8 or int8.

        A float32 output is (q - zero_point) * scale rounded once, so that dividing gives q back exactly. Outputs that
        were never integers are given in steps, not rounded.
        """
        if self.zero_point is None:
            return outputs.astype(np.float64) / self.scale
        if outputs.dtype == np.uint8:
            return outputs.astype(np.int16) - np.int16(SIGNED)
        if outputs.dtype == np.int8:
            return outputs.astype(np.int16)
        steps = np.rint(outputs.astype(np.float64) / self.scale)
        return (steps + self.zero_point).astype(np.int16)

    def real(self, integers: NDArray[np.int16] | NDArray[np.float64]) -> NDArray[np.float64]:
        """What `integers` stand for."""
        return (integers.astype(np.float64) - (self.zero_point or 0)) * self.scale


def runtime_of(artifact: Path) -> Runtime:
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
        runtime: to run it in; by its suffix if None.
    """

    artifact: Path
    images: ImageSet
    input_grid: Grid | None = None
    threads: int = 1
    tensors: tuple[str, ...] = ()
    optimized: bool = False
    runtime: Runtime | None = None

    def job(self) -> Job:
        """The job that makes it; images that have to be turned into integers are saved beside the others."""
        fed = feed(self.images, self.artifact, self.input_grid)
        return Job(
            self.artifact,
            self.runtime or runtime_of(self.artifact),
            fed.path,
            fed.table,
            threads=self.threads,
            tensors=self.tensors,
            optimized=self.optimized,
        )


@dataclass(frozen=True)
class Party:
    """Predictions, and the devices that share them.

    Args:
        predictions: what to run.
        devices: where. Those of a machine run different predictions side by side.
        shards: into how many runs of images each prediction is cut, for devices that are not one machine.
    """

    predictions: Sequence[Prediction]
    devices: Sequence[Device]
    shards: int = 1


@dataclass(frozen=True)
class Predicted:
    """What a party gave.

    Attributes:
        results: one per prediction.
        lost: the devices that failed, and what they said; the others did their part.
    """

    results: list[Result]
    lost: dict[Device, DeviceError]


def predict(predictions: Sequence[Prediction], progress: Progress) -> list[Result]:
    """Run artifacts over images on this machine, side by side where it has the processors.

    Args:
        predictions: what to run.
        progress: told how far it is.
    """
    (predicted,) = predict_on([on_desktop(predictions)], progress)
    return predicted.results


def on_desktop(predictions: Sequence[Prediction]) -> Party:
    """Predictions for this machine, one after another where their files are large."""
    threads = max(prediction.threads for prediction in predictions)
    size = sum(prediction.artifact.stat().st_size for prediction in predictions)
    return Party(predictions, desktop(len(predictions) if size <= _SIDE_BY_SIDE else 1, threads))


def predict_on(parties: Sequence[Party], progress: Progress, *, folder: Path | None = None) -> list[Predicted]:
    """Run predictions on several sorts of devices at once.

    Args:
        parties: what to run, and where.
        progress: told how far it is.
        folder: to keep what is done in, so that the same predictions go on there after an interruption.
    """
    split_jobs = [
        [split(prediction.job(), party.shards, prediction.images.path.parent) for prediction in party.predictions]
        for party in parties
    ]
    batches = [
        Batch([job for shards in jobs for job in shards], party.devices)
        for party, jobs in zip(parties, split_jobs, strict=True)
    ]
    names = dict.fromkeys(prediction.artifact.name for party in parties for prediction in party.predictions)
    stage = f"running {', '.join(names)}"
    pooled = run_batches(batches, lambda done, total: progress(stage, done, total), folder=folder)
    found = []
    for pool, jobs in zip(pooled, split_jobs, strict=True):
        results = iter(pool.results)
        joined = [join([next(results) for _ in shards]) for shards in jobs]
        found.append(Predicted(joined, dict(pool.lost)))
    return found
