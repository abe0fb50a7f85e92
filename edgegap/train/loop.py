"""The training loop: one network, one set of images, and a state after every epoch that training can go on from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgegap.check.images import ImageSet
from edgegap.errors import InputError
from edgegap.progress import Progress
from edgegap.train.augment import augmented, suiting
from edgegap.train.evaluate import Accuracy, evaluate, values
from edgegap.train.history import Epoch
from edgegap.train.schedule import learning_rate
from edgegap.train.settings import FitSettings
from edgegap.train.state import State

if TYPE_CHECKING:
    import torch

LABEL_SMOOTHING = 0.1
"""Szegedy et al., 2016 (arXiv:1512.00567), section 7."""

_WEIGHT_DECAY = {"sgd": 5e-4, "adamw": 0.05}
_MOMENTUM = 0.9


def smoothed_cross_entropy(x: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How far the scores are from the labels."""
    import torch  # noqa: PLC0415  # slow to import

    del x
    return torch.nn.functional.cross_entropy(scores, labels, label_smoothing=LABEL_SMOOTHING)


@dataclass(frozen=True)
class Objective:
    """What a training is after.

    Args:
        loss: to make small: of what the network is given, its scores and the labels.
        measure: how good the network is on validation images.
        weight_decay: whether large weights cost.
        on_gpu: whether the network can be moved to a GPU.
    """

    loss: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor] = smoothed_cross_entropy
    measure: Callable[[torch.nn.Module, ImageSet], Accuracy] = evaluate
    weight_decay: bool = True
    on_gpu: bool = True


LABELS = Objective()
"""To tell what the labels tell."""


def fit(
    network: torch.nn.Module,
    images: ImageSet,
    validation: ImageSet | None,
    settings: FitSettings,
    *,
    objective: Objective = LABELS,
    state: State | None = None,
    save: Callable[[State], None],
    progress: Progress,
) -> State:
    """Train a network: a cosine of learning rates, a GPU where there is one.

    On a CPU, with one number of threads, a training that was broken off and goes on from its last state ends in the
    same weights, bit for bit, as one that was not.

    Args:
        network: trained in place; at the end it has the weights to use, on the CPU, and is in evaluation mode.
        images: labelled.
        validation: labelled too, and measured after each epoch; `patience` needs it.
        settings: how.
        objective: what for.
        state: of a training to go on with; None for a new one.
        save: called with the state before the first epoch and after each, so that a checkpoint exists from the start.
        progress: told how many images were seen.

    Returns:
        The last state.

    Raises:
        InputError: the loss or a weight is not finite; it names the step. The state that was saved last is good.
    """
    import torch  # noqa: PLC0415  # slow to import

    training = _Training(network, images, settings, objective, progress)
    if state is None:
        state = State.first(network)
        save(state)
    else:
        training.restore(state)
    while not state.is_finished(settings):
        number = len(state.history) + 1
        began = time.perf_counter()
        rate, learned = training.epoch(number)
        seconds = time.perf_counter() - began
        measured = None if validation is None else objective.measure(network, validation)
        epoch = Epoch(
            number,
            rate,
            learned.loss,
            learned.top1_pct,
            None if measured is None else measured.loss,
            None if measured is None else measured.top1_pct,
            seconds,
            len(images) / seconds,
        )
        state = state.after(epoch, network, training.optimizer, keep_best=settings.patience is not None)
        save(state)
    network.load_state_dict(state.kept)
    _laid_out(network.cpu(), torch.contiguous_format).eval()
    return state


class _Training:
    """What stays the same from epoch to epoch.

    Args:
        network: moved to the GPU where there is one.
        images: to learn from.
        settings: how.
        objective: what for.
        progress: told how many images were seen.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        images: ImageSet,
        settings: FitSettings,
        objective: Objective,
        progress: Progress,
    ) -> None:
        import torch  # noqa: PLC0415  # slow to import

        self._device = torch.device("cuda" if objective.on_gpu and torch.cuda.is_available() else "cpu")
        # The faster layout in every network of the catalogue: 1.04 (nin) to 1.5 (mobilenet_v2) times on two CPU cores.
        self._network = _laid_out(network.to(self._device), torch.channels_last)
        self._images = images
        self._stored = np.load(images.path, mmap_mode="r")
        self._augment = suiting(settings.augment, self._stored)
        self._settings = settings
        self._loss = objective.loss
        self._progress = progress
        self._steps = -(-len(images) // settings.batch)
        self.optimizer = _optimizer(network, settings, weight_decay=objective.weight_decay)

    def restore(self, state: State) -> None:
        """Go back to where a state was taken."""
        self._network.load_state_dict(state.network)
        if state.optimizer is not None:
            self.optimizer.load_state_dict(state.optimizer)

    def epoch(self, number: int) -> tuple[float, Accuracy]:
        """See every image once; the last learning rate, and how well the network did meanwhile.

        Chance starts anew from the seed and the epoch's number, so that no random state needs to be kept.
        """
        import torch  # noqa: PLC0415  # slow to import

        random = np.random.default_rng([self._settings.seed, number])
        torch.manual_seed(int(random.integers(2**63)))  # for dropout
        self._network.train()
        rate, loss_sum, correct, seen = 0.0, 0.0, 0, 0
        for k, chosen in enumerate(_batches(random.permutation(len(self._images)), self._settings.batch)):
            step = (number - 1) * self._steps + k
            rate = learning_rate(step, self._settings.epochs * self._steps, self._settings.learning_rate)
            loss, right = self._step(chosen, rate, random)
            if not np.isfinite(loss):
                raise self._diverged("the loss", step, number)
            loss_sum += loss * len(chosen)
            correct += right
            seen += len(chosen)
            total = self._settings.epochs * len(self._images)
            self._progress("training", (number - 1) * len(self._images) + seen, total)
        if not all(bool(value.isfinite().all()) for value in self._network.state_dict().values()):
            raise self._diverged("a weight", number * self._steps - 1, number)
        return rate, Accuracy(loss_sum / seen, 100 * correct / seen)

    def _step(self, chosen: NDArray[np.int64], rate: float, random: np.random.Generator) -> tuple[float, int]:
        """One step on some of the images: their mean loss, and how many were right before it."""
        import torch  # noqa: PLC0415  # slow to import

        pixels = augmented(self._stored[chosen], self._augment, random)
        x = torch.from_numpy(values(self._images, pixels)).to(self._device, memory_format=torch.channels_last)
        labels = torch.from_numpy(self._images.labels[chosen]).to(self._device)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        scores = self._network(x)
        loss = self._loss(x, scores, labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own annotations lack it
        self.optimizer.step()
        return loss.item(), int((scores.argmax(1) == labels).sum())

    def _diverged(self, what: str, step: int, epoch: int) -> InputError:
        """The error for a loss or a weight that is not finite."""
        return InputError(
            f"{what} is not finite after step {step + 1} (epoch {epoch}): the training diverged",
            where=f"--lr {self._settings.learning_rate:g}",
            hint="Give a smaller --lr. What the epochs before it wrote is good, but --resume would diverge again.",
        )


def _laid_out(network: Any, layout: torch.memory_format) -> Any:
    """The network with its weights in that layout, in place. Torch's annotations of Module.to lack it in 2.13."""
    return network.to(memory_format=layout)


def _optimizer(network: torch.nn.Module, settings: FitSettings, *, weight_decay: bool) -> torch.optim.Optimizer:
    """Weight decay is for weights alone: not for biases and BatchNorm (He et al., 2019, arXiv:1812.01187, 3.1)."""
    import torch  # noqa: PLC0415  # slow to import

    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    decay = _WEIGHT_DECAY[settings.optimizer] if weight_decay else 0.0
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=_MOMENTUM, nesterov=True)
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def _batches(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """`order` in pieces; a last one of a single image is left out: BatchNorm has nothing to normalize it by."""
    for start in range(0, len(order), size):
        if len(chosen := order[start : start + size]) > 1:
            yield chosen
