"""Do emulated boards give this machine's integers? Real kernels, chosen as on the boards; every int8 output compared.

python benchmarks/boards.py [--networks resnet8 nin] [--boards pi3 pi5] [--json boards.json]

ONNX Runtime and LiteRT have to give the same integers everywhere. tflite-runtime runs int8 files on its built-in
kernels, which round twice: how far they are off is measured on one 64-bit board and on armv7.
Needs an emulator that is set up (edgegap doctor --setup-emulator) and the data folder of cases.py. Exits 1 where an
integer differs that must not.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from cases import CASES, Case, chosen
from output import describe, machine, markdown, write_record
from processes import run

NETWORKS = ["resnet8", "nin", "resnet20", "mobilenet_v2"]
BOARDS = ["pi3", "pi4", "pi5"]
LEGACY = {("resnet8", "pi5"), ("resnet8", "armv7"), ("resnet20", "pi5"), ("resnet20", "armv7")}
"""Where tflite-runtime is measured: its kernels take an hour for a larger network in emulation."""


def compare(case: Case, bundle: Path, board: str, runtimes: list[str], record: Path) -> list[dict[str, Any]]:
    """The int8 files of one network on one board against this machine."""
    samples = 16 if case.photos else 200
    print(f"{case.weights} on {board}, {samples} images ...", file=sys.stderr, flush=True)
    command = [*case.check(bundle, case.tests[0], record), "--samples", str(samples), "--target", board, "--emulate"]
    record.unlink(missing_ok=True)
    cost = run([*command, *(word for runtime in runtimes for word in ("--runtime", runtime))])
    if not record.is_file():
        sys.exit(f"the check of {case.weights} on {board} ended with status {cost.status}:\n{cost.stderr}")
    checked = json.loads(record.read_text())
    return [
        {
            "network": case.factory,
            "board": board,
            "runtime": entry["runtimes"][1],
            "images": checked["n"],
            "integers": entry["compared"],
            "different": entry["different"],
            "largest difference, LSB": entry["max_lsb"],
            "allowed": "measured" if entry["bound_lsb"] is None else entry["bound_lsb"],
            "s": round(cost.seconds),
        }
        for entry in checked["identity"]
        if entry["targets"][1] == board
    ]


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=[case.factory for case in CASES])
    parser.add_argument("--boards", nargs="+", default=[*BOARDS, "armv7"])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    facts = machine()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="edgegap-") as name:
        folder = Path(name)
        for case in chosen(arguments.networks):
            bundle = folder / case.factory
            cost = run(case.export(bundle, "default", folder / "record.json"))
            if cost.status:
                sys.exit(f"the export of {case.factory} ended with status {cost.status}:\n{cost.stderr}")
            for board in arguments.boards:
                runtimes = [] if board == "armv7" else ["onnxruntime", "ai-edge-litert"]
                runtimes += ["tflite-runtime"] if (case.factory, board) in LEGACY else []
                if runtimes:
                    rows += compare(case, bundle, board, runtimes, folder / "record.json")
    print(markdown(rows))
    print(f"\n{describe(facts)}.")
    write_record(arguments.json, "edgegap.benchmarks.boards/1", facts, rows)
    return int(any(row["different"] and row["allowed"] == 0 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
