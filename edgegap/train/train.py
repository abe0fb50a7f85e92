"""`edgegap train`: from images to a checkpoint."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgegap.check.images import MAKE_ROOM
from edgegap.data import Preprocessing, load_preprocessing
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import DataError, InputError, WeightsError
from edgegap.models import ZOO, Arguments, Checkpoint, build_network, read_checkpoint
from edgegap.models.catalogue import find_architecture
from edgegap.models.cost import cost_of
from edgegap.models.heads import HeadName
from edgegap.needs_torch import import_torch
from edgegap.progress import Progress
from edgegap.train.history import best_epoch
from edgegap.train.images import TrainingData, training_data
from edgegap.train.loop import fit
from edgegap.train.outputs import OnEpoch, Outputs
from edgegap.train.settings import FitSettings
from edgegap.train.state import State

EPOCH_WAS_CHOSEN = (
    "the epoch was chosen by its validation accuracy, which is therefore too high: measure on other images"
)
"""What --patience costs."""


@dataclass(frozen=True)
class TrainSettings:
    """The arguments of a training from its first step, or of going on with one.

    Args:
        architecture: a name of the catalogue.
        data: DATA to learn from.
        output: the checkpoint to write.
        val: DATA to measure on after each epoch.
        head: 'gap', 'gap-linear' or 'fc'; 'gap' where it is None.
        preprocess: a name or a `.toml`.
        fit: the options of the loop that were given, by name: the fields of `FitSettings`.
        threads: of torch; None for all cores.
        resume: go on with the training in `output`.
        force: replace `output`.
    """

    architecture: str
    data: str
    output: Path
    val: str | None = None
    head: HeadName | None = None
    preprocess: str | None = None
    fit: dict[str, Any] | None = None
    threads: int | None = None
    resume: bool = False
    force: bool = False


@dataclass(frozen=True)
class Trained:
    """What a training made.

    Args:
        record: the JSON record, 'edgegap.train/1'.
        notices: one line each on what a user should know.
    """

    record: dict[str, Any]
    notices: tuple[str, ...]


def train(settings: TrainSettings, progress: Progress, on_epoch: OnEpoch) -> Trained:
    """Train a network; its checkpoint is written before the first epoch and after each.

    Raises:
        InputError: and its kinds, for anything wrong with the call or the images, and a training that diverges.
        DeviceError: and its kinds, for a disk that is full.
    """
    began = time.perf_counter()
    torch = import_torch("training", "train the network on another machine")
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    find_architecture(settings.architecture)
    outputs = Outputs(settings.output)
    outputs.check(force=settings.force or settings.resume)
    before = _to_resume(settings) if settings.resume else None
    options = _options(settings, before)
    fitting = FitSettings(**options["fit"])
    if fitting.patience is not None and settings.val is None:
        raise InputError("--patience needs a validation accuracy", hint="Give --val DATA too.")
    preprocessing = _preprocessing(settings, before)
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), passing_folder() as folder:
        data = training_data(settings.data, settings.val, preprocessing, folder, progress)
        options["images"] = data.digest()
        if before is not None and before.training is not None and before.training["images"] != options["images"]:
            hint = "--resume goes on with the same images; to train on others, begin anew."
            raise DataError("not the images that the training began with", where=settings.data, hint=hint)
        arguments = Arguments(data.images.shape, data.count, options["head"])
        torch.manual_seed(fitting.seed)
        network = build_network(settings.architecture, arguments)
        cost = cost_of(network, data.images.shape)
        model = ZOO + settings.architecture
        template = Checkpoint(model, arguments, False, {}, data.classes, preprocessing)
        state = None
        if before is not None and before.training is not None:
            state = State.from_record(before.training, before.state_dict)
        save = outputs.saver(template, fitting, on_epoch, resume=options)
        state = fit(network, data.images, data.validation, fitting, state=state, save=save, progress=progress)
    outputs.draw(state, settings.architecture)
    last = best_epoch(state.history) if fitting.patience is not None else state.history[-1]
    record = {
        "schema": "edgegap.train/1",
        "checkpoint": str(settings.output),
        "metrics": str(outputs.metrics),
        "curve": str(outputs.curve),
        "architecture": settings.architecture,
        "head": arguments.head,
        "input_shape": list(arguments.input_shape),
        "classes": arguments.classes,
        "parameters": cost.parameters,
        "bytes": cost.bytes,
        "macs": cost.macs,
        "images": len(data.images),
        "epochs": len(state.history),
        "kept_epoch": last.epoch,
        "loss": last.loss,
        "top1_pct": last.top1_pct,
        "val_loss": last.val_loss,
        "val_top1_pct": last.val_top1_pct,
        "seconds": round(time.perf_counter() - began, 3),
    }
    return Trained(record, _notices(data, fitting))


def _to_resume(settings: TrainSettings) -> Checkpoint:
    """The checkpoint to go on with."""
    checkpoint = read_checkpoint(settings.output)
    where = str(settings.output)
    if checkpoint.model != ZOO + settings.architecture:
        hint = "Resume it with the network that it was begun with, or give another file with -o."
        what = f"is a checkpoint of {checkpoint.model.removeprefix(ZOO)}, not of {settings.architecture}"
        raise WeightsError(what, where=where, hint=hint)
    if checkpoint.training is None:
        hint = "It is finished: export it, or train anew with --force."
        raise InputError("holds no training that could go on", where=where, hint=hint)
    return checkpoint


def _options(settings: TrainSettings, before: Checkpoint | None) -> dict[str, Any]:
    """What the training depends on: as the call says, or as it began where it goes on."""
    given = {key: value for key, value in (settings.fit or {}).items() if value is not None}
    if before is None or before.training is None:
        return {"head": settings.head or "gap", "fit": FitSettings(**given).to_json()}
    begun: dict[str, Any] = {"head": before.training["head"], "fit": before.training["fit"]}
    asked = {**given, "head": settings.head or begun["head"]}
    for key, value in asked.items():
        now = {**begun["fit"], "head": begun["head"]}[key]
        if value != now:
            hint = "Leave it out to go on as it began, or begin anew with --force."
            raise InputError(
                f"--{key} {value}, but the training began with {now}", where=str(settings.output), hint=hint
            )
    return begun


def _preprocessing(settings: TrainSettings, before: Checkpoint | None) -> Preprocessing | None:
    given = None if settings.preprocess is None else load_preprocessing(settings.preprocess)
    if before is None:
        return given
    if given not in (None, before.preprocessing):
        hint = "Leave it out to go on as it began, or begin anew with --force."
        raise InputError(f"--preprocess {settings.preprocess} is not what the training began with", hint=hint)
    return before.preprocessing


def _notices(data: TrainingData, fitting: FitSettings) -> tuple[str, ...]:
    chosen = () if fitting.patience is None else (EPOCH_WAS_CHOSEN,)
    return (*(f"skipped an image: {why}" for why in data.skipped), *chosen)
