"""The int8 network of an export, trained: the quantizer that `edgegap train --qat` hands to `edgegap.export`.

The loss is the cross-entropy with the labels, plus the squared error of the logits against the float network's (Hinton,
Vinyals and Dean, 'Distilling the Knowledge in a Neural Network', 2015, arXiv:1503.02531, section 2.1: what distillation
is at a high temperature; for low precision Mishra and Marr, 'Apprentice', 2018, arXiv:1711.05852). Where the float
network knows its training images, cross-entropy is nearly 0 and the second term keeps the answers; where it does not,
labels have more to teach than it. A float logit beyond the output's grid counts as the end of the grid: a recipe clips
where classes are out of question, and the integers shall not bend towards what they cannot say.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.images import ImageSet
from edgegap.check.linter import spread
from edgegap.check.statistics import mcnemar_p, paired_drop_interval
from edgegap.errors import DataError, InputError, InternalError
from edgegap.evaluator import Evaluator
from edgegap.export.model import FloatModel
from edgegap.export.quantizing import Made, quantize_network
from edgegap.export.settings import ExportSettings
from edgegap.graph.nodes import shape_of
from edgegap.progress import Progress
from edgegap.quantize.quantization import Quantization
from edgegap.train.history import Epoch, best_epoch
from edgegap.train.images import TrainingData
from edgegap.train.loop import Objective, fit
from edgegap.train.outputs import OnEpoch
from edgegap.train.qat_measure import Measure
from edgegap.train.qat_network import Trainee
from edgegap.train.qat_source import trained
from edgegap.train.settings import FitSettings
from edgegap.train.state import State

if TYPE_CHECKING:
    import torch


class TrainedQuantizer:
    """Quantizes by the export's recipe, then trains.

    Args:
        data: to learn from, and to measure on.
        fitting: how to train.
        threads: of torch and of the runtime.
        folder: for files meanwhile.
        on_epoch: told each epoch, whose validation figures are those of int8.onnx.

    Attributes:
        history: of the training.
    """

    def __init__(self, data: TrainingData, fitting: FitSettings, threads: int, folder: Path, on_epoch: OnEpoch) -> None:
        self._data = data
        self._fitting = fitting
        self._threads = threads
        self._on_epoch = on_epoch
        measured = data.validation or data.images.taken(spread(len(data.images)), folder / "some.npy")
        self._measure = Measure(measured, folder, threads)
        self.history: list[Epoch] = []

    def __call__(
        self,
        network: FloatModel,
        images: ImageSet | None,
        table: NDArray[np.float32] | None,
        settings: ExportSettings,
        progress: Progress,
    ) -> Made:
        """The int8 network, trained.

        Raises:
            InputError: a network that is quantized already or does not fit the data, or a training that diverges.
        """
        import torch  # noqa: PLC0415  # slow to import

        self._check_fit(network)
        made = quantize_network(network, images, table, settings, progress)
        if made is None:
            raise InternalError("there is nothing to train in a float export")
        torch.set_num_threads(self._threads)  # one is enough for what export does in torch
        self._measure(network.model)
        self._measure(made.quantized.model)
        trainee = Trainee(made.quantized.parts, _layers(network.model))
        objective = Objective(
            _Loss(network.model, made.quantized.parts),
            lambda *_: self._measure(trainee.quantization().normal_form()),
            weight_decay=False,
            on_gpu=False,
        )
        state = fit(
            trainee.network,
            self._data.images,
            self._measure.images,
            self._fitting,
            objective=objective,
            save=self._save,
            progress=progress,
        )
        parts = trainee.quantization()
        evidence = {"data": self._data.spec, "images": len(self._data.images), **self._fitting.to_json()}
        return Made(
            replace(made.quantized, parts=parts, model=parts.normal_form(settings.io)),
            trained(made.recipe, len(state.history)),
            {**made.evidence, "training": evidence},
        )

    def compared(self) -> dict[str, Any]:
        """Float, int8 by the recipe alone, and int8 as it was trained, on the images that were measured."""
        kept = best_epoch(self.history) if self._fitting.patience is not None else self.history[-1]
        labels = self._measure.images.labels
        reference, before, *epochs = self._measure.answers
        after = epochs[kept.epoch - 1]
        right, still = reference == labels, after == labels
        lost, won = int((right & ~still).sum()), int((~right & still).sum())
        return {
            "n": len(labels),
            "kept_epoch": kept.epoch,
            "float": _side(reference, reference, labels),
            "before": _side(before, reference, labels),
            "after": _side(after, reference, labels),
            "lost": lost,
            "won": won,
            "drop_pp": 100 * (lost - won) / len(labels),
            "drop_ci95_pp": list(paired_drop_interval(lost, won, len(labels))),
            "mcnemar_p": mcnemar_p(lost, won),
        }

    def _save(self, state: State) -> None:
        self.history = state.history
        if state.history:
            self._on_epoch(state.history[-1], self._fitting.epochs)

    def _check_fit(self, network: FloatModel) -> None:
        if network.qdq is not None:
            hint = "Give the float network that it was made of."
            raise InputError("is quantized already, and --qat begins with float", where=network.spec, hint=hint)
        shape = shape_of(network.model.graph.inputs[0])[1:]
        if self._data.images.shape != shape:
            what = f"gives C,H,W = {self._data.images.shape}, the network takes {shape}"
            hint = "Set resize, crop and channels in the preprocessing so that the images have the network's size."
            raise DataError(what, where=self._data.spec, hint=hint)
        outputs = int(np.prod(shape_of(network.model.graph.outputs[0])[1:]))
        if outputs != self._data.count:
            what = f"the network gives {outputs} scores, and the data has {self._data.count} classes"
            raise DataError(what, where=self._data.spec, hint="Give the data that the network was trained for.")


class _Loss:
    """The loss.

    Args:
        model: the float network.
        parts: its quantization.
    """

    def __init__(self, model: ir.Model, parts: Quantization) -> None:
        self._teacher = Evaluator(model)
        self._grid = parts.grids[str(parts.model.graph.outputs[0].name)]

    def __call__(self, x: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cross-entropy, and the error's share of the variance of what is wanted."""
        import torch  # noqa: PLC0415  # slow to import

        with torch.no_grad():
            wanted = self._teacher(x).flatten(1).clamp(self._grid.lo, self._grid.hi)
            variance = wanted.var().clamp_min(self._grid.scale**2)
        return torch.nn.functional.cross_entropy(scores, labels) + (scores - wanted).square().mean() / variance


def _layers(model: ir.Model) -> set[str]:
    """The layers that a network itself has, and not only its lowered form: there, pools are layers too."""
    return {str(node.outputs[0].name) for node in model.graph if node.op_type in ("Conv", "Gemm")}


def _side(answers: NDArray[np.int64], reference: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, float]:
    return {
        "top1_pct": 100 * float((answers == labels).mean()),
        "agreement_pct": 100 * float((answers == reference).mean()),
    }
