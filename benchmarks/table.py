"""The full table: export five networks, check them on every image, and hold the figures against their floors.

python benchmarks/table.py [--recipe default] [--networks resnet8 nin] [--json table.json]

Exits 1 when a row fails.
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
from processes import Cost, run

FILES = {"onnx": "int8.onnx", "tflite": "int8.tflite"}


def recorded(command: list[str], record: Path) -> tuple[Cost, dict[str, Any] | None]:
    """Run a command that writes `record`: its cost and its record, None where it did not get that far.

    A check whose integers differ writes its record and then exits 1; so does a traceback, which writes none.
    """
    record.unlink(missing_ok=True)
    cost = run(command)
    return cost, json.loads(record.read_text()) if record.is_file() else None


def measure(case: Case, recipe: str, folder: Path) -> dict[str, Any]:
    """Export and check one network; every figure of its row, or `errors` alone where a command failed."""
    bundle, record = folder / case.factory, folder / "record.json"
    result: dict[str, Any] = {"network": case.weights, "recipe": recipe, "errors": []}
    cost, exported = recorded(case.export(bundle, recipe, record), record)
    if cost.status or exported is None:
        return {**result, "errors": [f"export: {cost.stderr.strip()}"]}
    result |= {
        "exactness": exported["exactness"],
        "float_ops": len(exported["float_ops"]),
        "export_seconds": cost.seconds,
        "export_cpu_seconds": cost.cpu_seconds,
        "export_peak_mib": cost.peak_mib,
    }
    checks = []
    seconds = 0.0
    for data in case.tests:
        cost, checked = recorded(case.check(bundle, data, record), record)
        if checked is None:
            return {**result, "errors": [f"check on {data.name}: {cost.stderr.strip()}"]}
        if cost.status:
            result["errors"].append(f"check on {data.name} ended with status {cost.status}")
        checks.append(checked)
        seconds += cost.seconds
    accuracy = checks[0]
    identities = [identity for check in checks for identity in check["identity"]]
    rows = {row["artifact"]: row for row in accuracy["results"]}
    result |= {
        "images": accuracy["n"],
        "identity_images": sum(check["n"] for check in checks),
        "float_top1_pct": accuracy["reference"]["top1_pct"],
        **{
            f"{form}_{figure}": rows[name][figure]
            for form, name in FILES.items()
            for figure in ("top1_pct", "agreement_pct", "drop_pp")
        },
        "compared": sum(identity["compared"] for identity in identities),
        "different": sum(identity["different"] for identity in identities),
        "check_seconds": seconds,
    }
    return {**result, "errors": [*result["errors"], *failures(case, result)]}


def failures(case: Case, result: dict[str, Any]) -> list[str]:
    """Which floors a row misses."""
    one_image = 100 / case.images
    misses = {
        f"{result['images']} images, not {case.images}": result["images"] != case.images,
        f"{result['identity_images']} images for identity, not {case.identity_images}": (
            result["identity_images"] != case.identity_images
        ),
        f"float top-1 is not {case.float_top1}": abs(result["float_top1_pct"] - case.float_top1) > 1.01 * one_image,
        "not exact": result["exactness"] != "exact",
        f"{result['different']} integers differ": result["different"] != 0,
        "no integer was compared": result["compared"] == 0,
    }
    for form in FILES:
        top1, agreement = result[f"{form}_top1_pct"], result[f"{form}_agreement_pct"]
        misses[f"{form} top-1 below {case.least_top1}"] = top1 < case.least_top1
        misses[f"{form} agreement below {case.least_agreement}"] = agreement < case.least_agreement
    return [miss for miss, missed in misses.items() if missed]


def row(result: dict[str, Any]) -> dict[str, str]:
    """One line of the table."""
    verdict = f"FAIL: {'; '.join(result['errors'])}".replace("\n", " ") if result["errors"] else "PASS"

    def show(template: str) -> str:
        return template.format(**result) if "check_seconds" in result else ""

    return {
        "network": result["network"],
        "float top-1": show("{float_top1_pct:.2f}"),
        "int8 top-1, ONNX / TFLite": show("{onnx_top1_pct:.2f} / {tflite_top1_pct:.2f}"),
        "agreement, ONNX / TFLite": show("{onnx_agreement_pct:.2f} / {tflite_agreement_pct:.2f}"),
        "drop, pp": show("{onnx_drop_pp:.2f} / {tflite_drop_pp:.2f}"),
        "integers different / compared": show("{different:,} / {compared:,} ({identity_images:,} images)"),
        "exactness": show("{exactness}"),
        "float ops": show("{float_ops}"),
        "export, s (CPU s)": show("{export_seconds:.1f} ({export_cpu_seconds:.1f})"),
        "export peak, MiB": show("{export_peak_mib:.0f}"),
        "check, s": show("{check_seconds:.0f}"),
        "verdict": verdict,
    }


def main() -> int:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--networks", nargs="+", choices=[case.factory for case in CASES])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    facts = machine()
    results = []
    with tempfile.TemporaryDirectory(prefix="edgegap-") as folder:
        for case in chosen(arguments.networks):
            print(f"{case.weights} ...", file=sys.stderr, flush=True)
            results.append(measure(case, arguments.recipe, Path(folder)))
    print(f"Recipe `{arguments.recipe}`. {describe(facts)}.\n")
    print(markdown([row(result) for result in results]))
    write_record(arguments.json, "edgegap.benchmarks.table/1", facts, results)
    return int(any(result["errors"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
