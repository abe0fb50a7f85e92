"""What each epoch brought: a JSON line each, in a file beside the checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from edgegap.disk import disk_errors
from edgegap.models.checkpoint import MAKE_ROOM


@dataclass(frozen=True)
class Epoch:
    """One epoch.

    Args:
        epoch: its number, from 1.
        lr: the learning rate of its last step.
        loss: mean of what the training made small, of the training images while the network learned; nats.
        top1_pct: training images that were right then, percent.
        val_loss: mean cross-entropy of the validation images after the epoch, without label smoothing; nats.
        val_top1_pct: validation images that are right then, percent.
        seconds: that it took, without validation.
        images_per_s: how many it learned from in a second of those.
    """

    epoch: int
    lr: float
    loss: float
    top1_pct: float
    val_loss: float | None
    val_top1_pct: float | None
    seconds: float
    images_per_s: float


def best_epoch(history: list[Epoch]) -> Epoch:
    """The first one with the highest validation accuracy."""
    return max(history, key=lambda epoch: epoch.val_top1_pct or 0.0)


def write_history(history: list[Epoch], path: Path) -> None:
    """Write all epochs anew, one line each.

    Raises:
        DiskError: no space, no permission.
    """
    partial = path.with_name(f".{path.name}.partial")
    with disk_errors(path, MAKE_ROOM):
        try:
            partial.write_text("".join(f"{json.dumps(asdict(epoch))}\n" for epoch in history), encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
