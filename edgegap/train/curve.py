"""The learning curve as a picture."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from edgegap.disk import disk_errors
from edgegap.models.checkpoint import MAKE_ROOM
from edgegap.train.history import Epoch

_TRAINING, _VALIDATION = "#7a869a", "#0b5cad"


def draw_curve(history: list[Epoch], title: str, path: Path) -> None:
    """Loss and accuracy of each epoch as a PNG.

    Raises:
        DiskError: no space, no permission.
    """
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, parse_math=False)
    epochs = [epoch.epoch for epoch in history]
    marker = "o" if len(history) == 1 else None
    for axes, label, training, validation in (
        (figure.add_subplot(1, 2, 1), "loss, nats", "loss", "val_loss"),
        (figure.add_subplot(1, 2, 2), "top-1, %", "top1_pct", "val_top1_pct"),
    ):
        axes.plot(epochs, [getattr(e, training) for e in history], color=_TRAINING, marker=marker, label="training")
        if history[0].val_loss is not None:
            values = [getattr(e, validation) for e in history]
            axes.plot(epochs, values, color=_VALIDATION, marker=marker, label="validation")
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend()
    partial = path.with_name(f".{path.name}.partial")
    with disk_errors(path, MAKE_ROOM):
        try:
            figure.savefig(partial, format="png", dpi=120)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
