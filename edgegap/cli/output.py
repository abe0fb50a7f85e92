"""What every verb that measures prints: a table or JSON on stdout, progress and notices on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgegap.bundle import write_json
from edgegap.errors import DiskError
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


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Say so: rich itself would exit with 1, which means that a gate failed."""
        raise BrokenPipeError


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

    Raises:
        DiskError: stdout is a file that cannot be written.
    """
    for notice in notices:
        click.echo(f"note: {notice}", err=True)
    if json_path is not None and json_path != "-":
        write_json(Path(json_path), record)
    try:
        if json_path == "-":
            click.echo(json.dumps(record, indent=1))
        else:
            show(record, _Console(soft_wrap=True))
    except BrokenPipeError:  # its reader has seen enough; the exit status is still to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        hint = "Make room, or send the output elsewhere."
        raise DiskError(error.strerror or str(error), where="standard output", hint=hint) from error
