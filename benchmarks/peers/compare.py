"""EdgeGAP and the tools that a user could take instead: what int8 changes, on the same weights and images.

python benchmarks/peers/compare.py [--peers litert onnx2tf] [--networks resnet8] [--json peers.json] [--again]

Each peer makes its int8 file from the same float weights and the same 256 calibration images, in a pinned environment
of its own. Rows that the JSON file holds already are kept, so that a call goes on where an earlier one stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from cases import CASES, chosen
from environments import OWN, Environment, Unavailable
from inputs import Inputs
from outcome import outcome
from output import machine, write_record
from peers import PEERS, Peer
from processes import run
from tables import tables

from edgegap.errors import EdgeGapError

_MINUTES, _GIB = 15, 14
_LIMITS = [
    *("setpriv", "--pdeathsig", "TERM"),  # nothing goes on after Ctrl-C
    *("timeout", "--kill-after=10", f"{_MINUTES}m"),
    *("prlimit", f"--data={_GIB * 2**30}"),
]
_CAUSE = "The above exception was the direct cause"
"""Stands in a traceback behind the error that began it, which says more than what was raised because of it."""

Row = dict[str, Any]


def measure(peer: Peer, inputs: Inputs) -> Row:
    """One row: the figures, and `error` where it got no further."""
    row: Row = {"peer": peer.name, "network": inputs.case.factory, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    try:
        environment = peer.environment()
    except Unavailable as error:
        return {**row, "error": str(error)}
    # EdgeGAP's own is a development environment, whose size says nothing.
    row |= {
        "versions": environment.versions(peer.packages),
        "environment_mib": None if environment == OWN else environment.mib,
    }
    folder = inputs.folder / peer.name
    folder.mkdir()
    try:
        row |= convert(peer, environment, inputs, folder)
        if "error" not in row:
            row["files"] = {name: judge(folder / name, inputs) for name in peer.files}
    except EdgeGapError as error:
        row["error"] = f"the file was written, and {error.what.splitlines()[0]}"
    if "error" in row:
        row["error"] = row["error"].replace(f"{folder}/", "").replace(f"{inputs.folder}/", "")
    return row


def convert(peer: Peer, environment: Environment, inputs: Inputs, folder: Path) -> Row:
    """Make a peer's files: what it cost, and `error` where it failed."""
    before = [inputs.exported] if peer.from_onnx else []
    cost = run([*_LIMITS, *peer.command(environment, inputs, folder)])
    row: Row = {
        "seconds": sum(part.seconds for part in [*before, cost]),
        "cpu_seconds": sum(part.cpu_seconds for part in [*before, cost]),
        "peak_mib": max(part.peak_mib for part in [*before, cost]),
    }
    missing = [name for name in peer.files if not (folder / name).is_file()]
    if cost.status and cost.seconds >= 60 * _MINUTES:
        row["error"] = f"not done after {_MINUTES} minutes"
    elif cost.status or missing:
        row["error"] = last_line(cost.stderr.partition(_CAUSE)[0]) or f"status {cost.status}, and no word why"
    return row


def last_line(text: str) -> str:
    """The last line with something in it."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def judge(file: Path, inputs: Inputs) -> Row:
    """What an int8 file answers on the test images, against float and against the labels, in per cent."""
    reference, labels = inputs.float_predictions, inputs.tests.labels
    found = outcome(file, inputs.tests)
    top1, float_top1 = (100 * float((given == labels).mean()) for given in (found.predictions, reference))
    return {
        "disagreement_pct": 100 * float((found.predictions != reference).mean()),
        "top1_pct": top1,
        "float_top1_pct": float_top1,
        "drop_pp": float_top1 - top1,
        "images": len(labels),
        "float_layers": found.float_layers,
        "kib": file.stat().st_size / 1024,
    }


def main() -> int:
    """Measure what is missing, save each row as it comes, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", default=[peer.name for peer in PEERS])
    parser.add_argument("--networks", nargs="+", choices=[case.factory for case in CASES])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--again", action="store_true", help="measure anew what the JSON file holds already")
    arguments = parser.parse_args()
    names = [peer.name for peer in PEERS]
    unknown = [name for name in arguments.peers if not any(known.startswith(name) for known in names)]
    if unknown:
        parser.error(f"no peer is called {', '.join(unknown)}: there are {', '.join(names)}")
    peers = [peer for peer in PEERS if peer.name.startswith(tuple(arguments.peers))]

    facts = machine()
    rows: dict[tuple[str, str], Row] = {}
    if arguments.json is not None and arguments.json.is_file():
        rows = {(row["peer"], row["network"]): row for row in json.loads(arguments.json.read_text())["results"]}
    for case in chosen(arguments.networks):
        with tempfile.TemporaryDirectory(prefix="edgegap-peers-") as folder:
            inputs = Inputs(case, Path(folder))
            for peer in peers:
                key = (peer.name, case.factory)
                if "seconds" in rows.get(key, {}) and not arguments.again:  # without: it could not be installed
                    continue
                print(f"{peer.title}, {case.factory} ...", file=sys.stderr, flush=True)
                rows[key] = measure(peer, inputs)
                write_record(arguments.json, "edgegap.benchmarks.peers/1", facts, list(rows.values()))
    print(tables(list(rows.values()), facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
