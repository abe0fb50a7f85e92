"""`edgegap check`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from edgegap.cli.output import emit, json_option, progress_bars
from edgegap.cli.where import where_of, where_options
from edgegap.data.source import KINDS
from edgegap.errors import DropError, IdentityError, InputError


@click.command("check")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", metavar="DATA", help="Images to compare on, labelled for accuracy.")
@click.option("--classes", type=click.Path(path_type=Path), help="One class a line, in the order of the outputs.")
@click.option("--samples", type=int, default=0, show_default=True, help="How many images; 0 for all.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="For each runtime.")
@click.option(
    "--max-drop",
    "max_drop_pp",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="PP",
    help="Fail unless the drop is below this, with 95 % confidence; percentage points.",
)
@where_options
@click.option("--sample-size", is_flag=True, help="Only say how many images --max-drop needs.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted check of the same images stopped.")
@click.option("--strict", is_flag=True, help="A corrupt image is an error, and not skipped.")
@json_option
def command(
    bundle: Path,
    data: str | None,
    max_drop_pp: float | None,
    sample_size: bool,
    json_path: str | None,
    **options: Any,
) -> None:
    """Compare the files of BUNDLE with its float network on DATA, and the two int8 files with each other.

    All of them run on this machine, each in its own runtime; with --target also on a device, whose integers are
    compared with this machine's. --runtime chooses the runtimes there, and adds one here. With several --host, each
    device takes a part of the images. The record is kept in BUNDLE/checks.
    """
    from edgegap.bundle import open_bundle, write_json  # noqa: PLC0415  # imports what --help must not wait for
    from edgegap.check.check import check  # noqa: PLC0415
    from edgegap.check.settings import CheckSettings  # noqa: PLC0415
    from edgegap.report.terminal import show_check  # noqa: PLC0415

    opened = open_bundle(bundle)
    if sample_size:
        click.echo(_images_needed(max_drop_pp))
        return
    if data is None:
        raise InputError("no images to compare on", where="--data", hint=KINDS)
    settings = CheckSettings(data, max_drop_pp=max_drop_pp, where=where_of(options), **options)
    with progress_bars() as progress:
        checked = check(opened, settings, progress)
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{data[-80:]}-{checked.target}").strip("-.")
    write_json(bundle / "checks" / f"{name}.json", checked.record)
    emit(checked.record, checked.notices, json_path, show_check)
    for identity in checked.broken:
        sides = [f"{identity.artifacts[k]} in {identity.runtimes[k]} on {identity.targets[k]}" for k in (0, 1)]
        raise IdentityError(
            f"{' and '.join(sides)} give different integers",
            where=str(bundle),
            hint="They did not when the bundle was written: has a runtime changed its version?",
        )
    _judge(checked.record["gate"], checked.record["n"], str(bundle))


def _images_needed(max_drop_pp: float | None) -> str:
    from edgegap.check.statistics import DISCORDANT_PCT, sample_size  # noqa: PLC0415  # SciPy takes a second

    if max_drop_pp is None:
        raise InputError("--sample-size needs a limit", hint="Give --max-drop PP too.")
    return (
        f"{sample_size(max_drop_pp):,} images show with 90 % power that the drop is below {max_drop_pp:g} pp, "
        f"if it is 0 and {DISCORDANT_PCT:g} % of the images are lost or won."
    )


def _judge(gate: dict[str, Any] | None, n: int, where: str) -> None:
    """Raise the gate's verdict, where it did not pass."""
    if gate is None or gate["verdict"] == "passed":
        return
    limit = f"{gate['max_drop_pp']:g} pp"
    if gate["verdict"] == "failed":
        hint = "`edgegap report` shows which layers and classes lost it; --recipe default and more --samples may help."
        raise DropError(f"the drop of {gate['artifact']} is not below {limit}", where=where, hint=hint)
    raise DropError(
        f"{n:,} images are too few to tell whether the drop of {gate['artifact']} is below {limit}",
        where=where,
        hint=f"About {gate['images_needed']:,} would decide it at the rates seen here.",
    )
