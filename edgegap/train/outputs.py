"""The files that a training writes: the checkpoint, and beside it its metrics and its curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgegap.errors import InputError
from edgegap.models import Checkpoint
from edgegap.train.curve import draw_curve
from edgegap.train.history import Epoch, write_history
from edgegap.train.settings import FitSettings
from edgegap.train.state import State

OnEpoch = Callable[[Epoch, int], None]
"""Told each epoch when its checkpoint is written, and how many there will be."""

_OTHERS = (".jsonl", ".png", ".onnx")


@dataclass(frozen=True)
class Outputs:
    """Where they are.

    Args:
        checkpoint: the file that -o names.
    """

    checkpoint: Path

    @property
    def metrics(self) -> Path:
        """One JSON line for each epoch."""
        return self.checkpoint.with_suffix(".jsonl")

    @property
    def curve(self) -> Path:
        """The learning curve."""
        return self.checkpoint.with_suffix(".png")

    def check(self, *, force: bool) -> None:
        """Refuse what would destroy a file or could not be read again.

        Raises:
            InputError: a suffix that another file has, or a file that exists and `force` is not given.
        """
        if self.checkpoint.suffix in _OTHERS or ":" in str(self.checkpoint) or self.checkpoint.is_dir():
            hint = f"Give a file that is no folder, has no colon in its path, and ends in none of {' '.join(_OTHERS)}."
            raise InputError("cannot be a checkpoint", where=str(self.checkpoint), hint=hint)
        if self.checkpoint.exists() and not force:
            hint = "Replace it with --force, choose another file, or let `edgegap train` go on with it by --resume."
            raise InputError("exists already", where=str(self.checkpoint), hint=hint)

    def saver(
        self, template: Checkpoint, settings: FitSettings, on_epoch: OnEpoch, *, resume: dict[str, Any] | None
    ) -> Callable[[State], None]:
        """A function that writes a state.

        Args:
            template: the checkpoint, but for its weights.
            settings: of the training.
            on_epoch: called once the files are written.
            resume: what --resume compares, kept until the training is finished; None where it cannot be resumed.
        """

        def save(state: State) -> None:
            unfinished = resume is not None and not state.is_finished(settings)
            training = {**(resume or {}), **state.to_record()} if unfinished else None
            replace(template, state_dict=state.kept, training=training).save(self.checkpoint)
            write_history(state.history, self.metrics)
            if state.history:
                on_epoch(state.history[-1], settings.epochs)

        return save

    def draw(self, state: State, title: str) -> None:
        """Draw the curve."""
        draw_curve(state.history, title, self.curve)
