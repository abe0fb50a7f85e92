"""What an export costs, from weights to files, against ONNX Runtime's quantizer, in turn, in the same run.

`edgegap export` (recipe fast) writes two int8 and two float files and proves them; the other way writes one int8 file.

python benchmarks/export_cost.py [--repetitions 3] [--json export_cost.json]

Exits 1 when EdgeGAP takes more than 1.3 times as long, or more than 1,000 MiB.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from cases import chosen
from output import describe, machine, markdown, write_record
from processes import Cost, run

NETWORK = "mobilenet_v2"
OURS, THEIRS = "edgegap export", "torch.onnx.export + quantize_static"
MOST_TIMES = 1.3
MOST_MIB = 1000


def measure(repetitions: int) -> dict[str, list[Cost]]:
    """Costs of both ways, run in turn so that a change of load meets both."""
    (case,) = chosen([NETWORK])
    costs: dict[str, list[Cost]] = {OURS: [], THEIRS: []}
    with tempfile.TemporaryDirectory(prefix="edgegap-") as name:
        folder = Path(name)
        commands = {
            OURS: case.export(folder / "bundle", "fast", folder / "record.json"),
            THEIRS: case.ort_quantize(folder / "peer.onnx"),
        }
        for number in range(repetitions):
            for way, command in commands.items():
                print(f"{way}, {number + 1} of {repetitions} ...", file=sys.stderr, flush=True)
                cost = run(command)
                if cost.status:
                    sys.exit(f"{way} ended with status {cost.status}:\n{cost.stderr}")
                costs[way].append(cost)
    return costs


def summary(way: str, costs: list[Cost]) -> dict[str, Any]:
    """Medians of the times, the largest of the memory."""
    return {
        "way": way,
        "seconds": statistics.median(cost.seconds for cost in costs),
        "cpu_seconds": statistics.median(cost.cpu_seconds for cost in costs),
        "peak_mib": max(cost.peak_mib for cost in costs),
        "largest_mib": max(cost.largest_mib for cost in costs),
        "all_seconds": [cost.seconds for cost in costs],
        "all_cpu_seconds": [cost.cpu_seconds for cost in costs],
    }


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    facts = machine()
    results = [summary(way, costs) for way, costs in measure(arguments.repetitions).items()]
    ours, theirs = results
    ratio, cpu_ratio = (ours[key] / theirs[key] for key in ("seconds", "cpu_seconds"))
    print(f"MobileNetV2, 256 photos of 224x224, from weights to files. {describe(facts)}.\n")
    rows = [
        {
            "": result["way"],
            "wall, s (each run)": f"{result['seconds']:.1f} ({', '.join(f'{s:.1f}' for s in result['all_seconds'])})",
            "CPU, s": f"{result['cpu_seconds']:.1f}",
            "peak of the process tree, MiB": f"{result['peak_mib']:.0f}",
            "largest process, MiB": f"{result['largest_mib']:.0f}",
        }
        for result in results
    ]
    print(markdown(rows))
    passed = ratio <= MOST_TIMES and ours["peak_mib"] <= MOST_MIB
    print(f"\nRatio of wall time {ratio:.2f} (at most {MOST_TIMES}), of CPU time {cpu_ratio:.2f}; ", end="")
    print(f"peak {ours['peak_mib']:.0f} MiB (at most {MOST_MIB}): {'PASS' if passed else 'FAIL'}")
    write_record(arguments.json, "edgegap.benchmarks.export_cost/1", facts, results)
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
