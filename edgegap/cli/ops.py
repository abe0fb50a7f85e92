"""`edgegap ops`."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from edgegap.cli.output import emit, json_option

_FILES = ("float.onnx", "float.tflite", "int8.onnx", "int8.tflite")


@click.command("ops")
@json_option
def command(json_path: str | None) -> None:
    """Show which ONNX ops EdgeGAP takes, what each becomes in float and in int8, and how exactly.

    The table is not a list that somebody keeps: a small network for each row is quantized and written anew. The bound
    is by how much the integers of int8.onnx and int8.tflite may differ, in ONNX Runtime and in LiteRT with XNNPACK.
    """
    from edgegap.export.ops import supported_ops  # noqa: PLC0415  # imports what --help must not wait for

    emit(supported_ops(), (), json_path, _show)


def _show(record: dict[str, Any], console: Console) -> None:
    rows = [
        (_name(row), _made_of(row, "float_as"), _made_of(row, "int8_as"), _files(row), _bound(row))
        for row in record["ops"]
        if row["files"]
    ]
    lines = [("op", "in float", "in int8", "files", "int8 bound"), *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    for line in lines:
        console.print(escape("  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip()))
    refused = [_name(row) for row in record["ops"] if not row["files"]]
    if refused:
        console.print(escape(f"\nNot supported: {'; '.join(refused)}."))


def _name(row: dict[str, Any]) -> str:
    return f"{row['op']} ({row['form']})" if row["form"] else str(row["op"])


def _made_of(row: dict[str, Any], key: str) -> str:
    """The ops that stand in its place, 'as it is', or that nothing does."""
    ops = row[key]
    return "-" if ops is None else "folded" if not ops else "as it is" if ops == [row["op"]] else " + ".join(ops)


def _files(row: dict[str, Any]) -> str:
    return "all" if set(row["files"]) == set(_FILES) else ", ".join(row["files"])


def _bound(row: dict[str, Any]) -> str:
    """Exact, or by how much the two may differ and why; for what is not written, why."""
    if not {"int8.onnx", "int8.tflite"} <= set(row["files"]):
        return f"- ({row['why']})"
    lsb = row["bound_lsb"]
    return "exact" if lsb == 0 else f"{'not stated' if lsb is None else f'{lsb} LSB'} ({row['why']})"
