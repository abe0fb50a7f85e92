"""The rows as Markdown: disagreement at a glance, every figure, and how what failed did."""

from __future__ import annotations

from typing import Any

from cases import CASES
from output import describe, markdown
from peers import PEERS, Peer

Row = dict[str, Any]


def tables(rows: list[Row], facts: dict[str, Any]) -> str:
    """Three parts, the last only where something failed."""
    by_key = {(row["peer"], row["network"]): row for row in rows}
    networks = [case.factory for case in CASES if any(row["network"] == case.factory for row in rows)]
    peers = [peer for peer in PEERS if any(row["peer"] == peer.name for row in rows)]
    ordered = [by_key[peer.name, network] for peer in peers for network in networks if (peer.name, network) in by_key]
    dates = sorted({row["date"] for row in rows})
    parts = [
        "Disagreement with the float argmax, per cent of the test images (*: some layers of the file run in float):",
        markdown([_glance(peer, networks, by_key) for peer in peers]),
        "Every figure:",
        markdown([_figures(row) for row in ordered]),
    ]
    failed = [f"- {_title(row)}, {row['network']}: {row['error']}" for row in ordered if "error" in row]
    if failed:
        parts += ["What failed:", "\n".join(failed)]
    return "\n\n".join([*parts, f"Measured {' to '.join(dict.fromkeys((dates[0], dates[-1])))}. {describe(facts)}."])


def _glance(peer: Peer, networks: list[str], by_key: dict[tuple[str, str], Row]) -> Row:
    rows = {network: by_key.get((peer.name, network)) for network in networks}
    versions = next((row["versions"] for row in rows.values() if row and row.get("versions")), {})
    numbers = ", ".join(f"{package} {version}" for package, version in versions.items())
    return {
        "": f"{peer.title} ({numbers})" if numbers else peer.title,
        "writes": ", ".join(sorted({"ONNX" if name.endswith(".onnx") else "TFLite" for name in peer.files})),
        **{network: "" if row is None else _disagreement(row) for network, row in rows.items()},
    }


def _disagreement(row: Row) -> str:
    """The figure, with a mark where the file is not fully int8: what stays in float loses nothing."""
    mark = "*" if any(file["float_layers"] for file in row.get("files", {}).values()) else ""
    return _of_files(row, "disagreement_pct") + mark


def _figures(row: Row) -> Row:
    return {
        "peer": _title(row),
        "network": row["network"],
        "disagreement, %": _of_files(row, "disagreement_pct"),
        "top-1, %": _of_files(row, "top1_pct"),
        "drop, pp": _of_files(row, "drop_pp"),
        "float layers": _of_files(row, "float_layers", ""),
        "conversion, s (CPU s)": f"{row['seconds']:.0f} ({row['cpu_seconds']:.0f})" if "seconds" in row else "",
        "peak, MiB": f"{row['peak_mib']:.0f}" if "peak_mib" in row else "",
        "environment, MiB": f"{row['environment_mib']:.0f}" if row.get("environment_mib") else "",
    }


def _of_files(row: Row, figure: str, form: str = ".2f") -> str:
    """One figure of a row's files: once where they share it."""
    if "error" in row:
        return "fails"
    return " / ".join(dict.fromkeys(f"{file[figure]:{form}}" for file in row["files"].values()))


def _title(row: Row) -> str:
    return next(peer.title for peer in PEERS if peer.name == row["peer"])
