"""What every verb that measures prints: a table or JSON on stdout, progress and notices on stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgegap.bundle import write_json
from edgegap.progress import Progress as Report

json_option = click.option(
    "--json",
    "json_path",
    metavar="FILE",
    help="Write the record as JSON; - for stdout, which then carries nothing else.",
)


@contextmanager
def progress_bars() -> Iterator[Report]:
    """A function that draws one bar per stage on stderr; nothing where stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=False)
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


def emit(
    record: dict[str, Any],
    notices: tuple[str, ...],
    json_path: str | None,
    show: Callable[[dict[str, Any], Console], None],
) -> None:
    """Print a record and its notices.

    Args:
        record: to print.
        notices: to stderr, one line each.
        json_path: a file, '-' for stdout, or None for a table on stdout.
        show: draws the record as a table.
    """
    for notice in notices:
        click.echo(f"note: {notice}", err=True)
    if json_path == "-":
        click.echo(json.dumps(record, indent=1))
        return
    if json_path is not None:
        write_json(Path(json_path), record)
    console = Console(soft_wrap=True)
    show(record, console)
