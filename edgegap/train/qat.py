"""`edgegap train --qat`: a float network becomes a bundle whose int8 pair was trained."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgegap.bundle import refuse_existing
from edgegap.check.images import MAKE_ROOM
from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import InputError
from edgegap.export.auto import recipes_of
from edgegap.export.export import export
from edgegap.export.settings import ExportSettings
from edgegap.needs_torch import import_torch
from edgegap.progress import Progress
from edgegap.train.curve import draw_curve
from edgegap.train.history import write_history
from edgegap.train.images import TrainingData, training_data
from edgegap.train.outputs import OnEpoch
from edgegap.train.qat_quantizer import TrainedQuantizer
from edgegap.train.qat_source import open_source
from edgegap.train.settings import QAT_EPOCHS, FitSettings
from edgegap.train.train import EPOCH_WAS_CHOSEN, Trained

_TRAVEL = 1.0
"""Steps of its scale that a weight travels in a training where every gradient points the same way.

Half a step rounds it to another integer. Where the recipe rounded well, most of the gradient is the noise of rounding,
to which AdamW gives the size of a real one: on ResNet-20, from 31.5 dB of logit SNR by GPTQ, 40 training steps that
travelled 2 ended at 30.9 dB, 80 that travelled 1 at 31.5 dB.
"""


@dataclass(frozen=True)
class QatSettings:
    """The arguments of a quantization-aware training.

    Args:
        model: MODEL, float, or a bundle.
        data: DATA to learn from.
        output: the bundle to write.
        weights: a state dict or a checkpoint.
        val: DATA to measure on; some images of `data` where it is None.
        calibration: DATA to calibrate on; `data` where it is None.
        preprocess: a name or a `.toml`; what MODEL says where it is None.
        recipe: what training begins with: a name or a `.toml`; what MODEL says, or 'default', where it is None.
        fit: the options of the loop that were given, by name: the fields of `FitSettings`.
        threads: of torch and of the runtime; None for all cores.
        force: replace `output`.
    """

    model: str
    data: str
    output: Path
    weights: Path | None = None
    val: str | None = None
    calibration: str | None = None
    preprocess: str | None = None
    recipe: str | None = None
    fit: dict[str, Any] | None = None
    threads: int | None = None
    force: bool = False

    def fitting(self) -> FitSettings:
        """How to train.

        Raises:
            InputError: a number that cannot be, or an option that does not fit.
        """
        given = {key: value for key, value in (self.fit or {}).items() if value is not None}
        fitting = FitSettings(**{"epochs": QAT_EPOCHS} | given)
        if fitting.optimizer != "adamw":
            hint = "Leave out --optimizer."
            raise InputError("--qat trains in steps of the integers, for which only adamw has the scale", hint=hint)
        if fitting.patience is not None and self.val is None:
            raise InputError("--patience needs a validation accuracy", hint="Give --val DATA too.")
        return fitting


def train_quantized(settings: QatSettings, progress: Progress, on_epoch: OnEpoch) -> Trained:
    """Train the integers of a network, and export it; the bundle appears whole at `settings.output`, or not at all.

    Raises:
        InputError: and its kinds, for anything wrong with the call, the network or the images, and a training that
            diverges.
        IdentityError: the two int8 files disagree.
        DeviceError: and its kinds, for a disk or a runtime that fails.
    """
    began = time.perf_counter()
    torch = import_torch("training", "train the network on another machine")
    fitting, threads = settings.fitting(), settings.threads or torch.get_num_threads()
    refuse_existing(settings.output, force=settings.force)
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), passing_folder() as folder:
        source = open_source(settings.model, settings.weights, settings.preprocess, settings.recipe, folder)
        recipes_of(source.recipe)  # a mistake in it is told before any work
        data = training_data(settings.data, settings.val, source.preprocessing, folder, progress)
        source.check_classes(data)
        if fitting.lr is None:
            fitting = replace(fitting, lr=_rate(fitting, len(data.images)))
        quantizer = TrainedQuantizer(data, fitting, threads, folder, on_epoch)
        export_settings = ExportSettings(
            source.model,
            settings.output,
            settings.weights,
            int8=True,
            calibration=settings.calibration or settings.data,
            preprocess=source.preprocess,
            classes=source.classes_file,
            recipe=source.recipe,
            force=settings.force,
        )
        exported = export(export_settings, progress, quantizer)
    metrics, curve = settings.output / "training.jsonl", settings.output / "training.png"
    write_history(quantizer.history, metrics)
    draw_curve(quantizer.history, f"{settings.model}, --qat: validation is int8.onnx", curve)
    record = {
        "schema": "edgegap.qat/1",
        "bundle": str(settings.output),
        "metrics": str(metrics),
        "curve": str(curve),
        "model": settings.model,
        "recipe": source.recipe,
        "images": len(data.images),
        "epochs": len(quantizer.history),
        "measured_on": settings.val or settings.data,
        **quantizer.compared(),
        "exactness": exported.record["exactness"],
        "seconds": round(time.perf_counter() - began, 3),
    }
    return Trained(record, (*exported.notices, *_notices(settings, data, fitting, record)))


def _rate(fitting: FitSettings, images: int) -> float:
    """The learning rate whose cosine sums up to `_TRAVEL`."""
    return 2 * _TRAVEL / (fitting.epochs * -(-images // fitting.batch))


def _notices(
    settings: QatSettings, data: TrainingData, fitting: FitSettings, record: dict[str, Any]
) -> tuple[str, ...]:
    notices = [f"skipped an image: {why}" for why in data.skipped]
    if settings.val is None:
        notices.append(f"accuracy is of {record['n']} images that the network learned from: --val measures on others")
    if fitting.patience is not None:
        notices.append(EPOCH_WAS_CHOSEN)
    if record["after"]["top1_pct"] < record["before"]["top1_pct"]:
        notices.append(
            f"training lost accuracy: the recipe alone has {record['before']['top1_pct']:.2f} %. "
            "Give a smaller --lr, or leave the network to `edgegap export`."
        )
    return tuple(notices)
