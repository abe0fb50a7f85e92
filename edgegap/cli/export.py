"""`edgegap export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgegap.cli.output import emit, json_option, progress_bars

if TYPE_CHECKING:
    from edgegap.export.settings import ExportSettings


class InputShape(click.ParamType[tuple[int, int, int]]):
    """C,H,W, or C,L of lines, which are maps of one row: C,1,L."""

    name = "C,H,W"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int, int]:
        """Two or three positive integers, as three."""
        if isinstance(value, tuple):
            return value
        try:
            c, *sizes = (int(part) for part in str(value).split(","))
            h, w = sizes if len(sizes) > 1 else (1, *sizes)
        except ValueError:
            self.fail(f"{value!r} is neither C,H,W, such as 3,32,32, nor C,L, such as 6,128", param, ctx)
        if min(c, h, w) < 1:
            self.fail(f"{value!r} has a size below 1", param, ctx)
        return c, h, w


@click.command("export")
@click.argument("model")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="BUNDLE", help="Folder to write.")
@click.option("--weights", type=click.Path(path_type=Path), help="A state dict, .safetensors or checkpoint.")
@click.option("--trust", is_flag=True, help="Load a .pt2 exported program, which can run any code that is in it.")
@click.option("--int8", is_flag=True, help="Quantize; without it the float pair only is written.")
@click.option("--calib", "calibration", metavar="DATA", help="Images to calibrate on.")
@click.option(
    "--preprocess", metavar="P", help="imagenet, cifar10, unit, raw, or a .toml: what the network was trained with."
)
@click.option(
    "--input-shape",
    "input_shapes",
    multiple=True,
    type=InputShape(),
    help="C,H,W of the input, C,L of lines, where nothing else shows it; of several inputs, once for each.",
)
@click.option("--classes", type=click.Path(path_type=Path), help="One class a line, in the order of the outputs.")
@click.option("--recipe", default="default", show_default=True, help="A recipe's name, a .toml, or auto.")
@click.option("--target", default="desktop", show_default=True, help="What it is for: a target's name, or a .toml.")
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(["onnx", "tflite"]), help="Keep this format only."
)
@click.option(
    "--io",
    type=click.Choice(["float", "int8"]),
    default="float",
    show_default=True,
    help="What the int8 files take and give.",
)
@click.option("--batch", type=int, default=1, show_default=True, help="Images per run of the exported files.")
@click.option("--samples", type=int, default=256, show_default=True, help="Calibration images; 0 for all.")
@click.option("--resnap", is_flag=True, help="Of a quantized .onnx: change its scales until every op is exact.")
@click.option(
    "--max-drop",
    "max_drop_pp",
    type=float,
    metavar="PP",
    help="Keep the fewest layers in float that lose no more than this on the calibration images; percentage points.",
)
@click.option("--report-sensitivity", is_flag=True, help="Say what each layer costs when it alone is quantized.")
@click.option("--force", is_flag=True, help="Replace an existing bundle.")
@click.option("--strict", is_flag=True, help="A corrupt image is an error, and not skipped.")
@click.option("--dry-run", is_flag=True, help="Only say what would be int8, float or refused, and how large; no -o.")
@json_option
def command(
    output: Path | None,
    json_path: str | None,
    formats: tuple[str, ...],
    input_shapes: tuple[tuple[int, int, int], ...],
    dry_run: bool,
    **options: Any,
) -> None:
    """Write MODEL as a bundle: float and int8, ONNX and TFLite, proved to agree.

    MODEL is file.py:factory, package.module:factory or zoo:NAME (with --weights), a checkpoint of `edgegap train`,
    which needs neither --preprocess nor --classes, an .onnx file, or a .pt2 exported program (with --trust). An .onnx
    that is quantized already (QDQ) keeps its quantization: it needs neither --int8 nor --calib. DATA is digits:train,
    digits:test, an .npz, a folder with one subfolder per class, or package.module:callable.
    """
    from edgegap.export.export import export  # noqa: PLC0415  # imports what --help must not wait for
    from edgegap.export.settings import FORMATS, ExportSettings  # noqa: PLC0415
    from edgegap.graph.joined import joined_shape  # noqa: PLC0415
    from edgegap.report.terminal import show_export  # noqa: PLC0415

    options["formats"] = formats or FORMATS
    if input_shapes:
        options["input_shape"] = joined_shape(input_shapes)
        options["input_channels"] = tuple(shape[0] for shape in input_shapes)
    if dry_run:
        _dry_run(ExportSettings(output=output or Path(), dry_run=True, **options), json_path)
        return
    if output is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
    settings = ExportSettings(output=output, **options)
    with progress_bars() as progress:
        exported = export(settings, progress)
    emit(exported.record, exported.notices, json_path, show_export)


def _dry_run(settings: ExportSettings, json_path: str | None) -> None:
    from edgegap.export.dry_run import dry_run, refused_error  # noqa: PLC0415  # see above
    from edgegap.report.dry_run import show_dry_run  # noqa: PLC0415

    with progress_bars() as progress:
        record, notices = dry_run(settings, progress)
    emit(record, notices, json_path, show_dry_run)
    if error := refused_error(record):
        raise error
