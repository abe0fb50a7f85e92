"""`edgegap train`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgegap.cli.fitting import fit_options, print_epoch, said_when_interrupted
from edgegap.cli.output import emit, json_option, progress_bars
from edgegap.errors import InputError
from edgegap.train.settings import LEARNING_RATES, FitSettings


@click.command("train")
@click.argument("architecture", metavar="ARCH")
@click.option("--data", metavar="DATA", required=True, help="Labelled images to learn from.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="CKPT", help="File to write.")
@click.option("--val", metavar="DATA", help="Labelled images to measure on after each epoch.")
@click.option(
    "--head",
    type=click.Choice(["gap", "gap-linear", "fc", "fc-dropout"]),
    help="What makes the scores.  [default: gap]",
)
@fit_options(FitSettings.epochs, LEARNING_RATES)
@click.option(
    "--patience", type=int, metavar="N", help="Stop after N epochs without a better --val, and keep the best."
)
@click.option("--resume", is_flag=True, help="Go on with the training in CKPT, to the result that it would have had.")
@click.option("--qat", is_flag=True, help="Train the integers of a network that is trained in float; see below.")
@click.option("--weights", type=click.Path(path_type=Path), help="Of --qat: state dict or checkpoint.")
@click.option(
    "--calib", "calibration", metavar="DATA", help="Of --qat: images to calibrate on.  [default: DATA of --data]"
)
@click.option("--recipe", help="Of --qat: what it begins with.  [default: the bundle's, or default]")
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
    qat: bool,
    weights: Path | None,
    calibration: str | None,
    recipe: str | None,
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

    \b
    edgegap train digits.pt --qat --data digits:train --val digits:test -o digits-qat

    With --qat, ARCH is MODEL of `edgegap export`, float, or a bundle, which stands for its float network; -o names the
    bundle to write. It is quantized by a recipe; its integers then learn from the labels and from the float network.
    The accuracy that each epoch reports is that of int8.onnx in ONNX Runtime.
    """
    if qat:
        _refuse(
            {"--head": head, "--resume": resume}, "does not fit --qat: the head stays, and the training starts anew"
        )
        from edgegap.train.qat import QatSettings, train_quantized  # noqa: PLC0415  # imports what --help must not wait for

        tuning = QatSettings(
            architecture, data, output, weights, val, calibration, preprocess, recipe, fit, threads, force
        )
        with progress_bars() as progress, _said_that_nothing_was_written(output):
            tuned = train_quantized(tuning, progress, partial(print_epoch, measured="int8"))
        emit(tuned.record, tuned.notices, json_path, _show_qat)
        return
    _refuse({"--weights": weights, "--calib": calibration, "--recipe": recipe}, "is for --qat")
    from edgegap.train.train import TrainSettings, train  # noqa: PLC0415  # likewise

    settings = TrainSettings(architecture, data, output, val, head, preprocess, fit, threads, resume, force)
    with progress_bars() as progress, said_when_interrupted(output, "go on with --resume"):
        trained = train(settings, progress, print_epoch)
    emit(trained.record, trained.notices, json_path, _show)


def _refuse(options: dict[str, Any], why: str) -> None:
    """Refuse those that were given."""
    for name, value in options.items():
        if value:
            raise InputError(f"{name} {why}", hint="Leave it out.")


@contextmanager
def _said_that_nothing_was_written(output: Path) -> Iterator[None]:
    """Say what became of the bundle, when Ctrl-C ends the block."""
    before = output.exists()
    try:
        yield
    except KeyboardInterrupt:
        what = "is as it was" if before else "was not written"
        click.echo(f"edgegap: {output} {what}: a bundle appears when its training is done", err=True)
        raise


def _show(record: dict[str, Any], console: Console) -> None:
    console.print(
        f"{escape(record['architecture'])} with the head {record['head']}: {record['parameters']:,} parameters, "
        f"{record['macs']:,} multiply-accumulates, {record['epochs']} epochs in {record['seconds']:.0f} s"
    )
    val = record["val_top1_pct"]
    measured = "" if val is None else f", {val:.2f} % of the validation images"
    console.print(f"right: {record['top1_pct']:.2f} % of the training images while it learned{measured}")
    console.print(escape(f"{record['checkpoint']}, {record['metrics']}, {record['curve']}"))


def _show_qat(record: dict[str, Any], console: Console) -> None:
    images = f"{record['n']:,} images of {escape(record['measured_on'])}"
    table = Table(title=f"{escape(record['model'])}, int8.onnx on {images}", title_justify="left")
    table.add_column("")
    for column in ("top-1, %", "agrees with float, %"):
        table.add_column(column, justify="right")
    for name, side in (("float", "float"), (f"int8, {record['recipe']}", "before"), ("int8, trained", "after")):
        table.add_row(escape(name), *(f"{record[side][key]:.2f}" for key in ("top1_pct", "agreement_pct")))
    console.print(table)
    low, high = record["drop_ci95_pp"]
    console.print(
        f"drop {record['drop_pp']:.2f} pp, 95 % interval {low:.2f} to {high:.2f}, p {record['mcnemar_p']:.3g}: "
        f"{record['lost']} lost and {record['won']} won"
    )
    console.print(escape(f"{record['exactness']}: {record['bundle']}, after {record['epochs']} epochs"))
