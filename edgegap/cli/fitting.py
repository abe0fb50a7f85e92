"""What `edgegap train` and `edgegap gap` share: the options of the loop, and what a person sees while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgegap.train.settings import FitSettings

if TYPE_CHECKING:
    from edgegap.train.history import Epoch

Command = Callable[..., Any]


def fit_options(epochs: int, learning_rates: dict[Any, float]) -> Callable[[Command], Command]:
    """The options of the loop. One that is not given is None: a training that is resumed goes on as it began.

    Args:
        epochs: the verb's default.
        learning_rates: likewise, of each optimizer.
    """
    rates = ", ".join(f"{rate:g} for {name}" for name, rate in learning_rates.items())
    options = (
        click.option("--preprocess", metavar="P", help="imagenet, cifar10, unit, raw, or a .toml."),
        click.option("--epochs", type=int, metavar="N", help=f"Times that every image is seen.  [default: {epochs}]"),
        click.option("--batch", type=int, metavar="N", help=f"Images in a step.  [default: {FitSettings.batch}]"),
        click.option(
            "--optimizer",
            type=click.Choice(list(learning_rates)),
            help=f"sgd has momentum.  [default: {FitSettings.optimizer}]",
        ),
        click.option("--lr", type=float, metavar="X", help=f"Highest learning rate.  [default: {rates}]"),
        click.option(
            "--augment",
            type=click.Choice(["flip-crop", "crop", "none"]),
            help="Mirror and shift images.  [default: flip-crop for colour images, none for others]",
        ),
        click.option("--seed", type=int, metavar="N", help="Of weights, order and augmentation.  [default: 0]"),
        click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: one for each core]"),
        click.option("--force", is_flag=True, help="Replace CKPT."),
    )

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def print_epoch(epoch: Epoch, epochs: int, *, measured: str = "validation") -> None:
    """One line on stderr: how good the network is, how fast it learns, and how long that will take.

    Args:
        epoch: the last one.
        epochs: how many there will be.
        measured: what to call the validation accuracy.
    """
    found = "" if epoch.val_top1_pct is None else f"  {measured} {epoch.val_top1_pct:6.2f} %"
    left = round((epochs - epoch.epoch) * epoch.seconds)
    click.echo(
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}  loss {epoch.loss:.4g}  training {epoch.top1_pct:6.2f} %"
        f"{found}  {epoch.images_per_s:,.0f} images/s  {left // 60}:{left % 60:02} left",
        err=True,
    )


@contextmanager
def said_when_interrupted(output: Path, hint: str) -> Iterator[None]:
    """Say that a checkpoint is there, when Ctrl-C ends the block.

    Args:
        output: the checkpoint.
        hint: what to do with it.
    """
    try:
        yield
    except KeyboardInterrupt:
        if output.exists():
            click.echo(f"edgegap: {output} has the state after the last whole epoch; {hint}", err=True)
        raise
