"""`edgegap gap`: a GAP head in place of fully connected layers, fine-tuned, before against after."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgegap.check.images import MAKE_ROOM
from edgegap.check.statistics import mcnemar_p, paired_drop_interval
from edgegap.data import Preprocessing, load_preprocessing
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import DataError, InputError
from edgegap.graph.factory import build, checkpoint_of
from edgegap.models import Arguments, Checkpoint, with_gap_head
from edgegap.models.cost import Cost, cost_of
from edgegap.needs_torch import import_torch
from edgegap.progress import Progress
from edgegap.train.evaluate import predict
from edgegap.train.images import TrainingData, training_data
from edgegap.train.loop import fit
from edgegap.train.outputs import OnEpoch, Outputs
from edgegap.train.settings import FitSettings

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class GapSettings:
    """The arguments of a change of head.

    Args:
        model: MODEL, but no `.onnx`.
        weights: a state dict or a checkpoint.
        data: DATA to learn from.
        output: the checkpoint to write.
        val: DATA to measure on; `data` itself where it is None.
        preprocess: a name or a `.toml`; what MODEL's checkpoint says where it is None.
        fit: how to fine-tune.
        threads: of torch; None for all cores.
        force: replace `output`.
    """

    model: str
    weights: Path | None
    data: str
    output: Path
    val: str | None
    preprocess: str | None
    fit: FitSettings
    threads: int | None = None
    force: bool = False


@dataclass(frozen=True)
class Operated:
    """What a change of head made.

    Args:
        record: the JSON record, 'edgegap.gap/1'.
        notices: one line each on what a user should know.
    """

    record: dict[str, Any]
    notices: tuple[str, ...]


def replace_head(settings: GapSettings, progress: Progress, on_epoch: OnEpoch) -> Operated:
    """Give a network a GAP head and fine-tune all of it.

    Raises:
        InputError: and its kinds, for a wrong call, network or image, a network that has no map to average, and a
            training that diverges.
        DeviceError: and its kinds, for a disk that is full.
    """
    began = time.perf_counter()
    torch = import_torch("training", "replace the head on another machine")
    threads = settings.threads or torch.get_num_threads()
    if settings.model.endswith(".onnx"):
        hint = "Give file.py:factory with --weights, zoo:NAME with --weights, or a checkpoint."
        raise InputError("an .onnx file cannot be trained", where=settings.model, hint=hint)
    outputs = Outputs(settings.output)
    outputs.check(force=settings.force)
    said: list[str] = []
    network = build(settings.model, settings.weights, say=said.append)
    torch.set_num_threads(threads)  # one is enough for `build`
    checkpoint = checkpoint_of(settings.model, settings.weights)
    preprocessing = _preprocessing(settings, checkpoint)
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), passing_folder() as folder:
        data = training_data(settings.data, settings.val, preprocessing, folder, progress)
        measured = data.validation or data.images
        shape = data.images.shape
        changed = with_gap_head(network, shape, settings.model)
        before = _side(network, data)
        untuned = _side(changed, data)
        template = Checkpoint(
            settings.model if checkpoint is None else checkpoint.model,
            Arguments(shape, data.count, "fc"),
            True,
            {},
            data.classes,
            preprocessing,
        )
        save = outputs.saver(template, settings.fit, on_epoch, resume=None)
        state = fit(changed, data.images, data.validation, settings.fit, save=save, progress=progress)
        after = _side(changed, data)
        labels = measured.labels
    outputs.draw(state, f"{settings.model}, with a GAP head")
    lost = int((before.right(labels) & ~after.right(labels)).sum())
    won = int((~before.right(labels) & after.right(labels)).sum())
    record = {
        "schema": "edgegap.gap/1",
        "checkpoint": str(settings.output),
        "metrics": str(outputs.metrics),
        "curve": str(outputs.curve),
        "model": settings.model,
        "measured_on": settings.val or settings.data,
        "n": len(labels),
        "before": before.to_json(labels),
        "untuned": untuned.to_json(labels),
        "after": after.to_json(labels),
        "epochs": len(state.history),
        "lost": lost,
        "won": won,
        "drop_pp": 100 * (lost - won) / len(labels),
        "drop_ci95_pp": list(paired_drop_interval(lost, won, len(labels))),
        "mcnemar_p": mcnemar_p(lost, won),
        "seconds": round(time.perf_counter() - began, 3),
    }
    return Operated(record, (*said, *_notices(settings, data)))


@dataclass(frozen=True, eq=False)
class _Side:
    """The network at one moment.

    Args:
        cost: what it costs.
        answers: its class for each image that is measured on, int64 [n].
    """

    cost: Cost
    answers: np.ndarray[Any, np.dtype[np.int64]]

    def right(self, labels: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which images it has right."""
        right: np.ndarray[Any, np.dtype[np.bool_]] = self.answers == labels
        return right

    def to_json(self, labels: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any]:
        """Its figures."""
        top1_pct = 100 * float(self.right(labels).mean())
        return {**asdict(self.cost), "bytes": self.cost.bytes, "top1_pct": top1_pct}


def _side(network: torch.nn.Module, data: TrainingData) -> _Side:
    scores = predict(network, data.validation or data.images)
    if scores.shape[1:] != (data.count,):
        what = f"the network gives {list(scores.shape[1:])} scores, and the data has {data.count} classes"
        raise DataError(what, where=data.spec, hint="Give the data that the network was trained for.")
    return _Side(cost_of(network, data.images.shape), scores.argmax(1))


def _preprocessing(settings: GapSettings, checkpoint: Checkpoint | None) -> Preprocessing | None:
    if settings.preprocess is not None:
        return load_preprocessing(settings.preprocess)
    return None if checkpoint is None else checkpoint.preprocessing


def _notices(settings: GapSettings, data: TrainingData) -> tuple[str, ...]:
    seen = ("accuracy is of the images that the network learned from: --val measures on others",)
    return (*(f"skipped an image: {why}" for why in data.skipped), *(() if settings.val else seen))
