"""`edgegap check`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from edgegap.cli.output import emit, json_option, progress_bars
from edgegap.errors import IdentityError


@click.command("check")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", required=True, metavar="DATA", help="Images to compare on, labelled for accuracy.")
@click.option("--classes", type=click.Path(path_type=Path), help="One class a line, in the order of the outputs.")
@click.option("--samples", type=int, default=0, show_default=True, help="How many images; 0 for all.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="For each runtime.")
@click.option("--strict", is_flag=True, help="A corrupt image is an error, and not skipped.")
@json_option
def command(
    bundle: Path, data: str, classes: Path | None, samples: int, threads: int, strict: bool, json_path: str | None
) -> None:
    """Compare the files of BUNDLE with its float network on DATA, and the two int8 files with each other.

    The record is kept in BUNDLE/checks.
    """
    from edgegap.bundle import open_bundle, write_json  # noqa: PLC0415  # imports what --help must not wait for
    from edgegap.check.check import DESKTOP, check  # noqa: PLC0415
    from edgegap.report.terminal import show_check  # noqa: PLC0415

    opened = open_bundle(bundle)
    with progress_bars() as progress:
        checked = check(opened, data, progress, classes=classes, samples=samples, strict=strict, threads=threads)
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", data).strip("-.")[-80:]
    write_json(bundle / "checks" / f"{name}-{DESKTOP}.json", checked.record)
    emit(checked.record, checked.notices, json_path, show_check)
    if not checked.identities_hold:
        raise IdentityError(
            "the two int8 files give different integers",
            where=str(bundle),
            hint="They did not when the bundle was written: has a runtime changed its version?",
        )
