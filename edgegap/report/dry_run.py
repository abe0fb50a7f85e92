"""The record of a dry run in a terminal. Nothing is computed here."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show_dry_run(record: dict[str, Any], console: Console) -> None:
    """Print an 'edgegap.dry_run/1' record."""
    console.print(f"[bold]{escape(record['model'])}[/bold]{_size(record)}")
    ops = record["int8_ops"] or {}
    if ops:
        what = "would be " if record["refused"] else ""
        console.print(f"int8: {', '.join(f'{count} {op}' for op, count in ops.items())} {what}in int8".strip())
    for node in record["float_ops"]:
        console.print(escape(f"float: {_node(node)}"))
    if record["exactness"]:
        console.print(f"[bold]{record['exactness']}[/bold]: {_exactness(record)}")
    if record["refused"]:
        _show_refused(record, console)
    if record["files"]:
        _show_files(record, console)


def _size(record: dict[str, Any]) -> str:
    if record["input_shape"] is None:
        return ""
    peak = record["peak_activation_bytes"]
    return (
        f": input {'x'.join(map(str, record['input_shape']))}, {record['parameters']:,} parameters, "
        f"{record['macs']:,} multiply-accumulates, activations {_kib(peak['int8'])} KiB in int8, "
        f"{_kib(peak['float'])} KiB in float"
    )


def _exactness(record: dict[str, Any]) -> str:
    if not record["bounded"]:
        return "both int8 files will give the same integers"
    return escape("; ".join(f"{op['where']}: {op['why']}" for op in record["bounded"]))


def _show_refused(record: dict[str, Any], console: Console) -> None:
    """Every refused node; those that are refused alike share what is said of them."""
    alike: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for node in record["refused"]:
        alike.setdefault((", ".join(node["files"]), node["why"]), []).append(node)
    console.print("[bold]refused[/bold]:")
    for (files, why), nodes in alike.items():
        console.print(escape(f"  {', '.join(map(_node, nodes))}: {why} ({files})"))
        for source in dict.fromkeys(node["source"] for node in nodes if node["source"]):
            console.print(escape(f"    {source}"))
        if nodes[0]["hint"]:
            console.print(escape(f"    {nodes[0]['hint']}"))
    if not record["complete"]:
        console.print("What lies behind these nodes could not be looked at.")


def _show_files(record: dict[str, Any], console: Console) -> None:
    target = record["target"]
    table = Table(title=f"On {escape(target['name'])}, {target['memory_mib']:,} MiB", title_justify="left", box=SIMPLE)
    table.add_column("file")
    for column in ("KiB", "memory, MiB"):
        table.add_column(column, justify="right")
    for column in ("fits", "runtimes"):
        table.add_column(column)
    for file in record["files"]:
        about = "about " if file["estimated"] else ""
        runtimes = ", ".join(f"{name} {target['runtimes'][name]}" for name in file["runtimes"]) or "none"
        fits = "yes" if file["fits"] else "[bold]no[/bold]"
        table.add_row(
            file["name"], f"{about}{_kib(file['bytes'])}", f"{file['needs_mib']:,.0f}", fits, escape(runtimes)
        )
    console.print(table)


def _node(node: dict[str, Any]) -> str:
    return f"{node['op']} {node['node']}" + (f" ({node['module']})" if node["module"] else "")


def _kib(size: int) -> str:
    return f"{size / 2**10:,.1f}"
