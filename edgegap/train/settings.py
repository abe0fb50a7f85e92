"""How a network is trained: what the options of `edgegap train` and `edgegap gap` say."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgegap.errors import InputError

Optimizer = Literal["sgd", "adamw"]
Augment = Literal["flip-crop", "crop", "none"]

LEARNING_RATES: dict[Optimizer, float] = {"sgd": 0.1, "adamw": 0.005}
"""Where --lr does not say."""

_LARGEST: dict[Optimizer, float] = {"sgd": 3.4e38, "adamw": 3.4e37}
"""Larger numbers do not fit into float32; the first step of AdamW counts with ten times its rate."""

FINE_TUNING_EPOCHS = 10
FINE_TUNING_RATES: dict[Optimizer, float] = {"sgd": 0.02, "adamw": 0.003}
"""For a network that is trained already, all but its head."""

QAT_EPOCHS = 3


@dataclass(frozen=True)
class FitSettings:
    """The arguments of a training.

    Args:
        epochs: times that every image is seen.
        batch: images in a step, from 2 up: BatchNorm needs some.
        optimizer: 'sgd' (with momentum) or 'adamw'.
        lr: the highest learning rate.
        augment: 'flip-crop', 'crop' or 'none'; what suits the images where it is None.
        patience: epochs without a better validation accuracy after which training stops; None for never.
        seed: of the weights, the order of the images and the augmentation.

    Raises:
        InputError: a number that cannot be.
    """

    epochs: int = 30
    batch: int = 64
    optimizer: Optimizer = "adamw"
    lr: float | None = None
    augment: Augment | None = None
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch", 2), ("patience", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"--{name} {value} is too small", hint=f"Give {least} or more.")
        if not 0 < self.learning_rate < _LARGEST[self.optimizer]:
            raise InputError(f"--lr {self.learning_rate:g} is no learning rate", hint="Give a number such as 0.01.")

    @property
    def learning_rate(self) -> float:
        """The highest learning rate: what `lr` says, or what suits the optimizer."""
        return LEARNING_RATES[self.optimizer] if self.lr is None else self.lr

    def to_json(self) -> dict[str, Any]:
        """A record of JSON types that the constructor takes."""
        return {**asdict(self), "lr": self.learning_rate}
