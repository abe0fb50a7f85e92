"""`edgegap explain`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgegap.cli.output import emit, json_option, progress_bars
from edgegap.errors import WeightsError
from edgegap.progress import Progress

if TYPE_CHECKING:
    from edgegap.bundle import Bundle


@click.command("explain")
@click.argument("model", metavar="BUNDLE|CKPT", type=click.Path(path_type=Path))
@click.option("--data", metavar="DATA", help="Images; those whose maps moved most are drawn, and a few ordinary ones.")
@click.option("--image", metavar="FILE", type=click.Path(path_type=Path), help="One image file to draw.")
@click.option("--classes", type=click.Path(path_type=Path), help="One class a line, in the order of the outputs.")
@click.option("--samples", type=click.IntRange(0), default=200, show_default=True, help="Images of DATA; 0 for all.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to write.  [default: BUNDLE/maps, CKPT-maps]"
)
@json_option
def command(
    model: Path,
    data: str | None,
    image: Path | None,
    classes: Path | None,
    samples: int,
    output: Path | None,
    json_path: str | None,
) -> None:
    """Draw where the network sees its answer: class confidence maps, float beside int8, as PNG files.

    Needs a head with global average pooling. Give --data, --image or both. Of a bundle without int8.onnx, and of CKPT,
    a checkpoint of `edgegap train`, the float maps are drawn alone.
    """
    from edgegap.check.explain import explain  # noqa: PLC0415  # imports what --help must not wait for

    folder = output or (model.with_name(f"{model.stem}-maps") if model.is_file() else model / "maps")
    with progress_bars() as progress, _opened(model, progress) as bundle:
        explained = explain(
            bundle, folder, progress, where=model, data=data, image=image, classes=classes, samples=samples
        )

    def show(record: dict[str, Any], console: Console) -> None:
        _show(record, folder, console)

    emit(explained.record, explained.notices, json_path, show)


@contextmanager
def _opened(model: Path, progress: Progress) -> Iterator[Bundle]:
    """The bundle, or one of a checkpoint's float network that is gone after the block."""
    from edgegap.bundle import open_bundle  # noqa: PLC0415  # imports what --help must not wait for

    if not model.is_file():
        yield open_bundle(model)
        return
    from edgegap.check.images import MAKE_ROOM  # noqa: PLC0415  # imports what --help must not wait for
    from edgegap.disk import disk_errors, passing_folder  # noqa: PLC0415
    from edgegap.export.export import export  # noqa: PLC0415
    from edgegap.export.settings import ExportSettings  # noqa: PLC0415
    from edgegap.models import ZOO, read_checkpoint  # noqa: PLC0415

    factory = read_checkpoint(model).model
    if not factory.startswith(ZOO):
        hint = f"Export {factory} with --weights, and give the bundle."
        raise WeightsError(f"is a checkpoint of {factory}, whose code is not in it", where=str(model), hint=hint)
    with disk_errors(tempfile.gettempdir(), MAKE_ROOM), passing_folder() as folder:
        export(ExportSettings(str(model), folder / "bundle", formats=("onnx",)), progress)
        yield open_bundle(folder / "bundle")


def _show(record: dict[str, Any], folder: Path, console: Console) -> None:
    table = Table(title=f"Class maps in {escape(str(folder))}", title_justify="left")
    table.add_column("picture", overflow="fold")
    for column in ("class", "why"):
        table.add_column(column)
    columns = {"float %": ("float_pct", 1), "int8 %": ("int8_pct", 1), "corr.": ("pearson", 3), "IoU": ("iou", 2)}
    if record["artifact"] is None:
        columns = {"float %": columns["float %"]}
    for column in columns:
        table.add_column(column, justify="right")
    for entry in record["images"]:
        figures = (f"{entry[key]:.{digits}f}" for key, digits in columns.values())
        table.add_row(escape(entry["file"]), escape(entry["class"]), entry["why"], *figures)
    console.print(table)
    maps = record["maps"]
    if maps is not None:
        mean = f"mean correlation {maps['pearson']:.4f}, mean IoU of the top 20 % {maps['iou']:.3f}"
        console.print(f"{maps['n']:,} images: {mean}")
