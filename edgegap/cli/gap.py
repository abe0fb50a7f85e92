"""`edgegap gap`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgegap.cli.fitting import fit_options, print_epoch, said_when_interrupted
from edgegap.cli.output import emit, json_option, progress_bars
from edgegap.train.settings import FINE_TUNING_EPOCHS, FINE_TUNING_RATES, FitSettings


@click.command("gap")
@click.argument("model")
@click.option("--weights", type=click.Path(path_type=Path), help="State dict or checkpoint, loaded with weights_only.")
@click.option("--data", metavar="DATA", required=True, help="Labelled images to fine-tune on.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="CKPT", help="File to write.")
@click.option("--val", metavar="DATA", help="Labelled images to compare on.  [default: DATA of --data]")
@fit_options(FINE_TUNING_EPOCHS, FINE_TUNING_RATES)
@json_option
def command(
    model: str,
    weights: Path | None,
    data: str,
    output: Path,
    val: str | None,
    preprocess: str | None,
    threads: int | None,
    force: bool,
    json_path: str | None,
    **fit: Any,
) -> None:
    """Replace the fully connected layers of MODEL by a GAP head, fine-tune it, and compare before with after.

    MODEL is file.py:factory, package.module:factory or zoo:NAME (with --weights), or a checkpoint. Its last layers are
    a flatten of a map and fully connected layers: they become 1x1 convolutions, from weights averaged over the map's
    positions, and a global average.
    """
    from edgegap.train.gap import GapSettings, replace_head  # noqa: PLC0415  # imports what --help must not wait for

    given = {key: value for key, value in fit.items() if value is not None}
    optimizer = given.get("optimizer", FitSettings.optimizer)
    defaults = {"epochs": FINE_TUNING_EPOCHS, "lr": FINE_TUNING_RATES[optimizer]}
    settings = GapSettings(
        model, weights, data, output, val, preprocess, FitSettings(**(defaults | given)), threads, force
    )
    with progress_bars() as progress, said_when_interrupted(output, "it can be exported as it is"):
        operated = replace_head(settings, progress, print_epoch)
    emit(operated.record, operated.notices, json_path, _show)


def _show(record: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{escape(record['model'])} with a GAP head", title_justify="left")
    table.add_column("")
    for column in ("parameters", "bytes", "multiply-accumulates", "top-1, %"):
        table.add_column(column, justify="right")
    for name in ("before", "untuned", "after"):
        side = record[name]
        costs = (f"{side[key]:,}" for key in ("parameters", "bytes", "macs"))
        table.add_row(name, *costs, f"{side['top1_pct']:.2f}")
    console.print(table)
    low, high = record["drop_ci95_pp"]
    images = f"{record['n']:,} images of {escape(record['measured_on'])}"
    console.print(
        f"drop {record['drop_pp']:.2f} pp, 95 % interval {low:.2f} to {high:.2f}, p {record['mcnemar_p']:.3g}: "
        f"{record['lost']} lost and {record['won']} won of {images}"
    )
    console.print(escape(f"{record['checkpoint']}, {record['metrics']}, {record['curve']}"))
