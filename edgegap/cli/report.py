"""`edgegap report`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click


@click.command("report")
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="FILE", help="Where to write; - for stdout.  [default: report.html, or stdout for text]"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown", "json"]),
    default="html",
    show_default=True,
    help="A page to mail, text for a pull request, or every record in one object.",
)
def command(bundles: tuple[Path, ...], output: str | None, form: Literal["html", "markdown", "json"]) -> None:
    """Draw the records of BUNDLE as one page; several bundles are put side by side.

    The page is one file without scripts: it loads nothing from elsewhere. Records come from `edgegap check`, `bench`
    and `explain`.
    """
    from edgegap.report.figures import size  # noqa: PLC0415  # imports what --help must not wait for
    from edgegap.report.report import report, write_report  # noqa: PLC0415

    text = report(bundles, form)
    output = output or ("report.html" if form == "html" else "-")
    if output == "-":
        click.echo(text, nl=False)
        return
    click.echo(f"{output}: {size(write_report(Path(output), text))}")
