"""`edgegap explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgegap.cli.output import emit, json_option, progress_bars


@click.command("explain")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", metavar="DATA", help="Images; those whose maps moved most are drawn, and a few ordinary ones.")
@click.option("--image", metavar="FILE", type=click.Path(path_type=Path), help="One image file to draw.")
@click.option("--classes", type=click.Path(path_type=Path), help="One class a line, in the order of the outputs.")
@click.option("--samples", type=click.IntRange(0), default=200, show_default=True, help="Images of DATA; 0 for all.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write.  [default: BUNDLE/maps]")
@json_option
def command(
    bundle: Path,
    data: str | None,
    image: Path | None,
    classes: Path | None,
    samples: int,
    output: Path | None,
    json_path: str | None,
) -> None:
    """Draw where the network sees its answer: class confidence maps, float beside int8, as PNG files.

    Needs a head with global average pooling. Give --data, --image or both.
    """
    from edgegap.bundle import open_bundle  # noqa: PLC0415  # imports what --help must not wait for
    from edgegap.check.explain import explain  # noqa: PLC0415

    folder = output or bundle / "maps"
    opened = open_bundle(bundle)
    with progress_bars() as progress:
        explained = explain(opened, folder, progress, data=data, image=image, classes=classes, samples=samples)

    def show(record: dict[str, Any], console: Console) -> None:
        _show(record, folder, console)

    emit(explained.record, explained.notices, json_path, show)


def _show(record: dict[str, Any], folder: Path, console: Console) -> None:
    table = Table(title=f"Class maps in {escape(str(folder))}", title_justify="left")
    table.add_column("picture", overflow="fold")
    for column in ("class", "why"):
        table.add_column(column)
    for column in ("float %", "int8 %", "corr.", "IoU"):
        table.add_column(column, justify="right")
    for entry in record["images"]:
        figures = (
            f"{entry['float_pct']:.1f}",
            f"{entry['int8_pct']:.1f}",
            f"{entry['pearson']:.3f}",
            f"{entry['iou']:.2f}",
        )
        table.add_row(escape(entry["file"]), escape(entry["class"]), entry["why"], *figures)
    console.print(table)
    maps = record["maps"]
    if maps is not None:
        mean = f"mean correlation {maps['pearson']:.4f}, mean IoU of the top 20 % {maps['iou']:.3f}"
        console.print(f"{maps['n']:,} images: {mean}")
