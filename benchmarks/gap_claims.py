"""What global average pooling is said to do, tried on CIFAR-10: table 5 of Lin, Chen & Yan, 2013, and what int8 adds.

python benchmarks/gap_claims.py [--seeds 0 1 2] [--images 10000] [--epochs 10] [--json claims.json]

The same backbone with each head, trained, exported and checked by the command line. Rows (a head and a seed) that the
JSON file holds already are kept, so that a call goes on where an earlier one stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from cases import DATA, EDGEGAP
from output import describe, machine, markdown, write_record
from scipy.stats import t
from table import recorded

HEADS = {"fc": "fully connected", "fc-dropout": "fully connected + dropout", "gap": "global average pooling"}
PAPER = {"fc": 11.59, "fc-dropout": 10.88, "gap": 10.41}
"""Test error in %, Lin, Chen & Yan, 'Network In Network' (arXiv:1312.4400), table 5: their NIN, all training images."""

FIGURES = {
    "test_error_pct": "test error, %",
    "overfit_pp": "train - test, pp",
    "shift_pct": "shift consistency, %",
    "int8_drop_pp": "int8 drop, pp",
}
"""What is compared, and its column."""

Row = dict[str, Any]


def draw(seed: int, images: int, path: Path) -> None:
    """Some of the training images, drawn by the seed: every head sees the same ones."""
    with np.load(DATA / "cifar10_train.npz") as archive:
        everything = dict(archive)
    chosen = np.random.default_rng(seed).choice(len(everything["labels"]), images, replace=False)
    parts = {name: everything[name][chosen] for name in ("images", "labels")}
    np.savez(path, **parts, class_names=everything["class_names"])


def measure(row: Row, threads: int, training: Path, folder: Path) -> Row:
    """The row of a head and a seed with its figures, or with `error` where a command failed."""
    checkpoint, bundle, record = folder / "net.pt", folder / "net", folder / "record.json"
    commands = {
        "train": [
            *("train", row["network"], "--head", row["head"], "--data", str(training), "--preprocess", "cifar10"),
            *("--epochs", str(row["epochs"]), "--seed", str(row["seed"]), "--threads", str(threads)),
            *("--augment", "none", "--force", "-o", str(checkpoint)),  # as in the paper's table 5
        ],
        "export": ["export", str(checkpoint), "--int8", "--calib", str(training), "--force", "-o", str(bundle)],
        "test": ["check", str(bundle), "--data", str(DATA / "cifar10_test.npz")],
        "training": ["check", str(bundle), "--data", str(training)],
    }
    records, seconds = {}, 0.0
    for name, command in commands.items():
        cost, found = recorded([str(EDGEGAP), *command, "--json", str(record)], record)
        if cost.status or found is None:
            return {**row, "error": f"{name}: {cost.stderr.strip()}"}
        records[name] = found
        seconds += cost.seconds
    test, train = (records[name]["reference"]["top1_pct"] for name in ("test", "training"))
    (int8,) = (result for result in records["test"]["results"] if result["artifact"] == "int8.onnx")
    return {
        **row,
        "parameters": records["train"]["parameters"],
        "train_top1_pct": train,
        "test_error_pct": 100 - test,
        "overfit_pp": train - test,
        "shift_pct": records["test"]["shift"]["float_pct"],
        "shift_int8_pct": records["test"]["shift"]["int8_pct"],
        "int8_drop_pp": int8["drop_pp"],
        "int8_agreement_pct": int8["agreement_pct"],
        "exactness": records["export"]["exactness"],
        "training_seconds": records["train"]["seconds"],
        "seconds": round(seconds, 1),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def interval(values: list[float]) -> str:
    """Mean and half the width of the 95 % t interval; the mean alone of a single value."""
    mean = f"{np.mean(values):.2f}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)):.2f}"


def tables(rows: list[Row], facts: dict[str, Any]) -> str:
    """The figures of each head, and each head's less those of GAP, seed by seed."""
    measured = {(row["head"], row["seed"]): row for row in rows if "error" not in row}
    seeds = {head: [seed for each, seed in measured if each == head] for head in HEADS}
    means, differences = [], []
    for head, title in HEADS.items():
        own = [measured[head, seed] for seed in seeds[head]]
        if not own:
            continue
        figures = {column: interval([row[key] for row in own]) for key, column in FIGURES.items()}
        paper = {"paper's test error, %": f"{PAPER[head]:.2f}"}
        means.append({"head": title, "seeds": len(own), "parameters": f"{own[0]['parameters']:,}", **figures, **paper})
        pairs = [(measured[head, seed], measured["gap", seed]) for seed in seeds[head] if seed in seeds["gap"]]
        if head != "gap" and pairs:
            figures = {column: interval([a[key] - b[key] for a, b in pairs]) for key, column in FIGURES.items()}
            paper = {"paper's test error, %": f"{PAPER[head] - PAPER['gap']:.2f}"}
            differences.append({"less GAP's": title, "seeds": len(pairs), **figures, **paper})
    errors = [f"{row['head']}, seed {row['seed']}: {row['error']}" for row in rows if "error" in row]
    row = rows[0]
    what = f"{row['network']}, {row['images']:,} training images of CIFAR-10, {row['epochs']} epochs, not augmented"
    parts = [f"{max(row.get('date', '') for row in rows)}. {what}; mean ± half the 95 % t interval over the seeds."]
    parts += [markdown(table) for table in (means, differences) if table]
    return "\n\n".join([*parts, *errors, describe(facts)])


def main() -> int:
    """Measure what is missing, save each row as it comes, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--network", default="resnet8")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1, help="of a training")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    setting = {key: getattr(arguments, key) for key in ("network", "images", "epochs")}
    facts = machine()
    rows: list[Row] = []
    if arguments.json is not None and arguments.json.is_file():
        rows = json.loads(arguments.json.read_text())["results"]
        if any(row[key] != value for row in rows for key, value in setting.items()):
            parser.error(f"{arguments.json} holds rows of another setting: give another file")
        rows = [row for row in rows if "error" not in row]
    with tempfile.TemporaryDirectory(prefix="edgegap-claims-") as folder:
        for seed in arguments.seeds:
            training = Path(folder, "training.npz")
            draw(seed, arguments.images, training)
            for head in HEADS:
                if any((row["head"], row["seed"]) == (head, seed) for row in rows):
                    continue
                print(f"{head}, seed {seed} ...", file=sys.stderr, flush=True)
                rows.append(measure({"head": head, "seed": seed, **setting}, arguments.threads, training, Path(folder)))
                write_record(arguments.json, "edgegap.benchmarks.gap_claims/1", facts, rows)
    print(tables(rows, facts))
    return int(any("error" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main())
