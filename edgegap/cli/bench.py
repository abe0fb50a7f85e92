"""`edgegap bench`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from edgegap.cli.output import emit, json_option, progress_bars
from edgegap.cli.where import where_of, where_options
from edgegap.errors import InputError


class Duration(click.ParamType[float]):
    """90s, 10m, 1h: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A number and its unit."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)", value)
        seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is no duration, such as 90s, 10m or 1h", param, ctx)
        return seconds


@click.command("bench")
@click.argument("paths", metavar="BUNDLE|FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@where_options
@click.option("--threads", type=click.IntRange(1), help="For each runtime.  [default: 1 up to the device's cores]")
@click.option(
    "--time-limit",
    "time_limit_s",
    type=click.FloatRange(0, min_open=True),
    default=30,
    show_default=True,
    metavar="S",
    help="Seconds, at most, for each runtime and number of threads.",
)
@click.option(
    "--sustain",
    "sustain_s",
    type=Duration(),
    help="Go on for so long (90s, 10m), with all cores unless --threads says otherwise, to see it heat up.",
)
@json_option
def command(paths: tuple[Path, ...], runtimes: tuple[Any, ...], json_path: str | None, **options: Any) -> None:
    """Measure latency, memory and size of the files of BUNDLE, or of any .onnx and .tflite files.

    Float and int8 take turns, so that their ratio means something. On an emulated target instructions are counted
    instead, for time means nothing there. The record of a bundle is kept in BUNDLE/benches.
    """
    from edgegap.bench.artifacts import bundle_artifacts, choose_runtimes, file_artifacts  # noqa: PLC0415  # imports what --help must not wait for
    from edgegap.bench.bench import BenchSettings, bench, bench_emulated  # noqa: PLC0415
    from edgegap.bundle import MANIFEST, open_bundle, write_json  # noqa: PLC0415
    from edgegap.report.bench import show_bench  # noqa: PLC0415
    from edgegap.run.devices import open_devices  # noqa: PLC0415

    where = where_of(options)
    target = where.profile()
    if len(where.hosts) > 1:
        hint = "Call it once for each device."
        raise InputError("bench measures one device", where="--host", hint=hint)
    is_bundle = len(paths) == 1 and (paths[0] / MANIFEST).is_file()
    artifacts = bundle_artifacts(open_bundle(paths[0])) if is_bundle else file_artifacts(paths)
    settings = BenchSettings(choose_runtimes(artifacts, runtimes, target), **options)
    with progress_bars() as progress:
        if where.emulate:
            benched = bench_emulated(artifacts, target, settings.runtimes, progress)
        else:
            (device,) = open_devices(where, progress=progress)
            benched = bench(artifacts, device, settings, progress)
    if is_bundle:
        kind = "-emulated" if where.emulate else "-sustained" if settings.sustain_s else ""
        write_json(paths[0] / "benches" / f"{target.name}{kind}.json", benched.record)
    emit(benched.record, benched.notices, json_path, show_bench)
