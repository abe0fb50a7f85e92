"""Records as tables in a terminal. Nothing is computed here."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WORST = 3
_MOST_SENSITIVE = 10
_HERE = "desktop"


def show_export(record: dict[str, Any], console: Console) -> None:
    """Print an 'edgegap.export/1' record."""
    table = Table(title=f"Exported to {escape(record['bundle'])}", title_justify="left")
    for column, justify in (("file", "left"), ("KiB", "right"), ("SHA-256", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]  # one of rich's literals
    for file in record["files"]:
        table.add_row(file["name"], f"{file['bytes'] / 2**10:,.1f}", file["sha256"][:16])
    console.print(table)
    if record["exactness"]:
        why = f" ({escape(record['inexact'])})" if record["inexact"] else ""
        console.print(f"[bold]{record['exactness']}[/bold]{why}: {record['int8_ops']} ops in int8")
    _show_identity(record["identity"], console)
    for op in record["float_ops"]:
        module = f" ({op['module']})" if op["module"] else ""
        console.print(escape(f"  {op['op']} {op['node']}{module}: {op['why']}"))
    if record.get("sensitivity"):
        _show_sensitivity(record["sensitivity"], console)
    console.print(f"{record['seconds']:.1f} s")


def _show_sensitivity(found: dict[str, Any], console: Console) -> None:
    """What quantization costs as a whole, and the parts that cost most when they alone are quantized."""
    title = f"Quantized alone, n = {found['images']} images"
    table = Table(title=title, title_justify="left", box=SIMPLE)
    table.add_column("part")
    table.add_column("of")
    for column in ("logit SNR, dB", "changed"):
        table.add_column(column, justify="right")
    for name in ("whole", "weights", "activations"):
        everything = "everything" if name == "whole" else f"all {name}"
        table.add_row(everything, "", _decibel(found[name]["snr_db"]), f"{found[name]['changed']:,}")
    for part in found["parts"][:_MOST_SENSITIVE]:
        module = f" ({part['module']})" if part["module"] else ""
        where = escape(f"{part['op']} {part['name']}{module}")
        table.add_row(part["kind"], where, _decibel(part["snr_db"]), f"{part['changed']:,}")
    console.print(table)


def _decibel(snr: float | None) -> str:
    return "no noise" if snr is None else f"{snr:.1f}"


def show_check(record: dict[str, Any], console: Console) -> None:
    """Print an 'edgegap.check/1' record."""
    reference = record["reference"]
    title = f"{escape(record['data'])}, n = {record['n']:,} images, reference {reference['artifact']}"
    table = Table(title=title, title_justify="left", box=SIMPLE)
    table.add_column("file")
    for column in ("top-1 %", "drop pp", "95 % interval", "p", "agree %", "lost", "won"):
        table.add_column(column, justify="right")
    table.add_row(reference["artifact"], _number(reference["top1_pct"]))
    runtimes = _own_runtimes(record)
    for row in record["results"]:
        interval = row["drop_ci95_pp"]
        table.add_row(
            row["artifact"] + _elsewhere(row["runtime"], row["target"], runtimes[row["artifact"]]),
            _number(row["top1_pct"]),
            _number(row["drop_pp"], sign=True),
            "" if interval is None else f"{interval[0]:+.2f} to {interval[1]:+.2f}",
            "" if row["mcnemar_p"] is None else f"{row['mcnemar_p']:.2g}",
            _number(row["agreement_pct"]),
            _count(row["lost"]),
            _count(row["won"]),
        )
    console.print(table)
    _show_identity(record["identity"], console)
    _show_findings(record, console)
    console.print("`edgegap report` draws all of it.")


def _show_findings(record: dict[str, Any], console: Console) -> None:
    """The worst classes and layers, the maps and the shifts, a line each."""
    for row in record["per_class"][:_WORST]:
        if row["drop_pp"] > 0:
            p = f"p = {row['p_adjusted']:.2g} among all classes"
            console.print(escape(f"worst class: {row['name']}, {row['drop_pp']:+.2f} pp of {row['n']:,} images ({p})"))
    for row in (record["layers"] or {"rows": []})["rows"][:_WORST]:
        module = f" ({row['module']})" if row["module"] else ""
        cause = f": {row['cause']}" if row["cause"] else ""
        noise = f"{row['sqnr_db']:.1f} dB, alone {row['local_sqnr_db']:.1f} dB"
        console.print(escape(f"worst layer: {row['op']} {row['name']}{module}, SQNR {noise}{cause}"))
    maps, shift = record["maps"], record["shift"]
    if maps and "why" not in maps:
        figures = f"Pearson {maps['pearson']:.3f}, IoU of the top 20 % {maps['iou']:.3f}"
        console.print(f"class maps, float against int8: {figures} over {maps['n']:,} images")
    if shift:
        low, high = shift["difference_ci95_pp"]
        console.print(
            f"shifted by up to {shift['pixels']} pixels the prediction stays in float for {shift['float_pct']:.1f} %, "
            f"in int8 for {shift['int8_pct']:.1f} % of {shift['n']:,} images (difference {low:+.2f} to {high:+.2f} pp)"
        )


def _show_identity(identities: list[dict[str, Any]], console: Console) -> None:
    for entry in identities:
        sides = zip(entry["artifacts"], entry["runtimes"], entry["targets"], strict=True)
        names = " and ".join(f"{a} in {r}{'' if t == _HERE else f' on {t}'}" for a, r, t in sides)
        bound = "measured, no bound stated" if entry["bound_lsb"] is None else f"{entry['bound_lsb']} allowed"
        largest = f", by at most {entry['max_lsb']} LSB" if entry["different"] else ""
        layer = f"; the first layer that differs: {entry['first_layer']}" if entry["first_layer"] else ""
        what = f"{names}: {entry['different']:,} of {entry['compared']:,} integers differ{largest} ({bound}){layer}"
        console.print(escape(what))


def _own_runtimes(record: dict[str, Any]) -> dict[str, str]:
    """The runtime that each file ran in first."""
    found = {record["reference"]["artifact"]: record["reference"]["runtime"]}
    for row in record["results"]:
        found.setdefault(row["artifact"], row["runtime"])
    return found


def _elsewhere(runtime: str, target: str, own: str) -> str:
    """What to add to the name of a file that ran on another device, or in another runtime than its own."""
    place = "" if target == _HERE else f" on {target}"
    return place if runtime == own else f"{place} in {runtime}"


def _number(value: float | None, *, sign: bool = False) -> str:
    return "" if value is None else f"{value:+.2f}" if sign else f"{value:.2f}"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
