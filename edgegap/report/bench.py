"""A bench as tables in a terminal. Nothing is computed here."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgegap.report.figures import NONE

Record = dict[str, Any]

_LEGEND = """\
p50, p99: latency, ms. ratio: to the first file, with its 95 % interval.
load, first: loading the file and the first inference, ms. MiB: peak memory over the runtime's own."""


def show_bench(record: Record, console: Console) -> None:
    """Print an 'edgegap.bench/1' record: one table for each runtime."""
    show = _show_instructions if record["emulated"] else _show_latency
    for runtime in dict.fromkeys(row["runtime"] for row in record["results"]):
        show(record, runtime, console)
    if not record["emulated"]:
        console.print(_LEGEND)


def _show_latency(record: Record, runtime: str, console: Console) -> None:
    table = _table(record, runtime, "")
    for column in ("thr.", "p50", "p99", "ratio", "95 %", "load", "first", "MiB"):
        table.add_column(column, justify="right", no_wrap=True)
    ratios = {(ratio["artifact"], ratio["threads"]): ratio for ratio in record["ratios"] if ratio["runtime"] == runtime}
    for row in _rows(record, runtime):
        table.add_row(
            escape(row["artifact"]),
            str(row["threads"]),
            _figure(row["latency_ms"]["p50"], 3),
            _figure(row["latency_ms"]["p99"], 3),
            *_ratio(ratios.get((row["artifact"], row["threads"]))),
            _figure(row["load_ms"], 1),
            _figure(row["first_ms"], 1),
            _figure(row["peak_rss_mib"], 1),
        )
    console.print(table)


def _show_instructions(record: Record, runtime: str, console: Console) -> None:
    table = _table(record, runtime, ", emulated: millions of instructions per inference")
    for column in ("all", "multiply-add", "load/store", "ideal", "ideal %", "KiB"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in _rows(record, runtime):
        mix = row["instruction_mix"]
        millions = [None if mix[key] is None else mix[key] / 1e6 for key in ("total", "mac", "memory", "ideal")]
        figures = [_figure(value, 2) for value in millions]
        size = f"{row['bytes'] / 2**10:,.0f}"
        table.add_row(escape(row["artifact"]), *figures, _figure(mix["ideal_pct"], 0), size)
    console.print(table)


def _table(record: Record, runtime: str, what: str) -> Table:
    """With a column for the file."""
    version, target = record["environment"]["runtimes"][runtime], record["results"][0]["target"]
    table = Table(title=escape(f"{runtime} {version} on {target}{what}"), title_justify="left", box=SIMPLE)
    table.add_column("file", overflow="fold", min_width=12)
    return table


def _rows(record: Record, runtime: str) -> list[Record]:
    return [row for row in record["results"] if row["runtime"] == runtime]


def _figure(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def _ratio(ratio: Record | None) -> tuple[str, str]:
    """The ratio, and its interval."""
    if ratio is None:
        return "", ""
    ends = ratio["ci95"]
    return f"{ratio['ratio']:.2f}", NONE if ends is None else f"{ends[0]:.2f}{NONE}{ends[1]:.2f}"
