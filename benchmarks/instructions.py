"""Instructions per inference on emulated Raspberry Pis: float and int8, in ONNX Runtime and in LiteRT.

python benchmarks/instructions.py [--networks resnet8 nin] [--boards pi3 pi5] [--json instructions.json]

One thread, batch 1. An int8 file's share of the ideal says how near it comes to the network's multiply-accumulates in
nothing but vector instructions, 16 in each with SDOT (pi5) and 8 without (pi3, pi4).
Needs an emulator that is set up (edgegap doctor --setup-emulator), gcc, and the data folder of cases.py. Exits 1 where
a count is over its limit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cases import CASES, Case, chosen
from output import describe, machine, markdown, write_record
from processes import run

from edgegap.bench.instructions import ideal
from edgegap.errors import EdgeGapError
from edgegap.graph.macs import count_macs
from edgegap.run.emulate import count_instructions
from edgegap.run.target import Target, load_target

NETWORKS = ["resnet8", "nin", "mobilenet_v2"]
BOARDS = ["pi3", "pi4", "pi5"]
FILES = {
    "float.onnx": "onnxruntime",
    "int8.onnx": "onnxruntime",
    "float.tflite": "ai-edge-litert",
    "int8.tflite": "ai-edge-litert",
}
NAMES = {"onnxruntime": "ORT", "ai-edge-litert": "LiteRT"}
LIMITS = {("resnet8", "pi5", "int8.tflite"): 1.55e6, ("mobilenet_v2", "pi5", "int8.tflite"): 49.6e6}
"""What these took on 24 November 2026, rounded up."""


def measure(case: Case, boards: list[Target], folder: Path) -> list[dict[str, Any]]:
    """Every file of one network on every board."""
    bundle = folder / case.factory
    cost = run(case.export(bundle, "default", folder / "record.json"))
    if cost.status:
        sys.exit(f"the export of {case.factory} ended with status {cost.status}:\n{cost.stderr}")
    macs = count_macs(bundle / "float.onnx")
    rows = []
    for board in boards:
        for name, runtime in FILES.items():
            print(f"{case.weights}, {board.name}, {name} ...", file=sys.stderr, flush=True)
            counts = count_instructions(board, bundle / name, runtime)
            least = ideal(macs, board) if name.startswith("int8") else None
            row = {"network": case.factory, "board": board.name, "artifact": name, "runtime": runtime}
            rows.append({**row, "macs": macs, **asdict(counts), "ideal": least})
    return rows


def table(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """One line for a network on a board: millions, and of the int8 files the share of the ideal."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        start = {"network (M MAC)": f"{row['network']} ({row['macs'] / 1e6:.1f})", "board": row["board"]}
        line = lines.setdefault((row["network"], row["board"]), start)
        precision = row["artifact"].split(".")[0]
        text = f"{row['total'] / 1e6:.2f}"
        if row["ideal"]:
            text += f" ({row['ideal'] / row['total']:.0%})"
        line[f"{NAMES[row['runtime']]} {precision}"] = text
    return list(lines.values())


def split(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """How the int8 files' instructions divide, per cent."""
    return [
        {
            "network": row["network"],
            "board": row["board"],
            "runtime": NAMES[row["runtime"]],
            "multiply-accumulate": f"{row['mac'] / row['total']:.0%}",
            "load and store": f"{row['memory'] / row['total']:.0%}",
            "rest": f"{1 - (row['mac'] + row['memory']) / row['total']:.0%}",
        }
        for row in rows
        if row["artifact"].startswith("int8") and row["mac"] is not None
    ]


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=[case.factory for case in CASES])
    parser.add_argument("--boards", nargs="+", default=BOARDS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    facts = machine()
    try:
        boards = [load_target(name) for name in arguments.boards]
        with tempfile.TemporaryDirectory(prefix="edgegap-") as folder:
            rows = [row for case in chosen(arguments.networks) for row in measure(case, boards, Path(folder))]
    except EdgeGapError as error:
        sys.exit(str(error))
    print("Millions of instructions per inference, one thread; in brackets the share of the ideal count.\n")
    print(markdown(table(rows)))
    print("\nWhat the int8 files' instructions are:\n")
    print(markdown(split(rows)))
    print(f"\n{describe(facts)}.")
    write_record(arguments.json, "edgegap.benchmarks.instructions/1", facts, rows)
    over = [
        f"{row['network']} on {row['board']}: {row['artifact']} takes {row['total']:,}, more than {limit:,.0f}"
        for row in rows
        if (limit := LIMITS.get((row["network"], row["board"], row["artifact"]))) and row["total"] > limit
    ]
    print("\n".join(over), file=sys.stderr)
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
