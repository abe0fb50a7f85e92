"""`edgegap train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from edgegap.cli.fitting import fit_options, print_epoch, said_when_interrupted
from edgegap.cli.output import emit, json_option, progress_bars
from edgegap.train.settings import LEARNING_RATES, FitSettings


@click.command("train")
@click.argument("architecture", metavar="ARCH")
@click.option("--data", metavar="DATA", required=True, help="Labelled images to learn from.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="CKPT", help="File to write.")
@click.option("--val", metavar="DATA", help="Labelled images to measure on after each epoch.")
@click.option("--head", type=click.Choice(["gap", "gap-linear", "fc"]), help="What makes the scores.  [default: gap]")
@fit_options(FitSettings.epochs, LEARNING_RATES)
@click.option(
    "--patience", type=int, metavar="N", help="Stop after N epochs without a better --val, and keep the best."
)
@click.option("--resume", is_flag=True, help="Go on with the training in CKPT, to the result that it would have had.")
@json_option
def command(
    architecture: str,
    data: str,
    output: Path,
    val: str | None,
    head: Any,
    preprocess: str | None,
    threads: int | None,
    resume: bool,
    force: bool,
    json_path: str | None,
    **fit: Any,
) -> None:
    """Train the network ARCH, a name of `edgegap models list`.

    \b
    edgegap train nin_tiny --data digits:train --preprocess unit -o digits.pt
    edgegap export digits.pt --int8 --calib digits:train -o digits

    CKPT carries the classes and the preprocessing. Beside it are its metrics, one JSON line for each epoch, and its
    learning curve as PNG.
    """
    from edgegap.train.train import TrainSettings, train  # noqa: PLC0415  # imports what --help must not wait for

    settings = TrainSettings(architecture, data, output, val, head, preprocess, fit, threads, resume, force)
    with progress_bars() as progress, said_when_interrupted(output, "go on with --resume"):
        trained = train(settings, progress, print_epoch)
    emit(trained.record, trained.notices, json_path, _show)


def _show(record: dict[str, Any], console: Console) -> None:
    console.print(
        f"{escape(record['architecture'])} with the head {record['head']}: {record['parameters']:,} parameters, "
        f"{record['macs']:,} multiply-accumulates, {record['epochs']} epochs in {record['seconds']:.0f} s"
    )
    val = record["val_top1_pct"]
    measured = "" if val is None else f", {val:.2f} % of the validation images"
    console.print(f"right: {record['top1_pct']:.2f} % of the training images while it learned{measured}")
    console.print(escape(f"{record['checkpoint']}, {record['metrics']}, {record['curve']}"))
