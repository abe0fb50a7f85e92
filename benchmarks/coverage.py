"""Which of torchvision's and timm's CNN classifiers go through `edgegap export --int8`, and what comes out.

python benchmarks/coverage.py --json coverage.jsonl --write-docs [--only 'timm resnet'] [--suite timm] [--jobs 2]

Each network of coverage_networks.txt gets random weights that behave (coverage_networks.py) and is exported in a
process of its own, on real photos. The file gets one line a network as soon as it is done, so that a call goes on where
an earlier one stopped. --write-docs makes docs/coverage.md of all lines in it.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema
from cases import DATA, EDGEGAP, HERE
from coverage_page import page
from output import machine
from processes import Cost, run

from edgegap.cache import cache
from edgegap.check.images import ImageSet, save_images
from edgegap.check.predict import Prediction, predict
from edgegap.data import load_preprocessing, open_data
from edgegap.disk import passing_folder
from edgegap.errors import EdgeGapError
from edgegap.progress import silent
from edgegap.quantize.bounds import inexact_ops

PAGE = HERE.parent / "docs" / "coverage.md"
_FACTORIES = HERE / "coverage_networks.py"
_PHOTOS = DATA / "imagenet"
_MINUTES, _GIB = 15, 16
_LIMITS = [
    *("setpriv", "--pdeathsig", "TERM"),  # nothing goes on after Ctrl-C
    *("timeout", "--foreground", "--kill-after=10", f"{_MINUTES}m"),
    *("prlimit", f"--data={_GIB * 2**30}"),
]
_TIMED_OUT = 124
_PREPROCESS = """\
resize = {size}
crop = {size}
scale = 0.00392156862745098
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A line of the list.

    Args:
        suite: 'torchvision' or 'timm'.
        model: its name there.
        size: pixels a side.
    """

    suite: str
    model: str
    size: int = 224

    @property
    def name(self) -> str:
        """How figures and --only call it."""
        return f"{self.suite} {self.model}"


def listed() -> list[Network]:
    """The networks of coverage_networks.txt, in its order."""
    lines = (HERE / "coverage_networks.txt").read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return [Network(suite, model, *map(int, size)) for suite, model, *size in words]


@dataclass(frozen=True)
class Photos:
    """The photos that networks of one input size are settled, calibrated and compared on.

    Args:
        preprocess: the `.toml` for `edgegap export`.
        images: as `edgegap export` sees them.
        values: an .npy file of them, preprocessed: float32 [N, 3, size, size].
    """

    preprocess: Path
    images: ImageSet
    values: Path

    @classmethod
    def of(cls, size: int, count: int, folder: Path) -> Photos:
        """`count` photos of `size` pixels a side, in files in `folder`."""
        preprocess, pixels, values = (folder / f"{size}.{kind}" for kind in ("toml", "pixels.npy", "npy"))
        preprocess.write_text(_PREPROCESS.format(size=size))
        source = open_data(str(_PHOTOS / "calibration"), classes=_PHOTOS / "classes.txt").take(count)
        images = save_images(source, load_preprocessing(str(preprocess)), pixels, silent)
        np.save(values, images.values())
        return cls(preprocess, images, values)


def packages() -> Path:
    """The folder of torchvision and timm: made on first use in the user's cache, whole or not at all.

    Raises:
        CalledProcessError: pip could not install them, and said why.
    """
    requirements = HERE / "coverage.txt"
    pins = sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache("coverage") / pins
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with passing_folder(folder) as staging:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*pip, "--target", str(staging), "-r", str(requirements)], check=True)
            staging.rename(folder)
    return folder


def measure(network: Network, photos: Photos, recipe: str) -> Row:
    """One row: what came out, or `refusal`, or `error` where the network itself or the measurement failed."""
    # Modules are compiled once, as they are where pip installed them, whatever this shell prefers.
    limited = [*_LIMITS, "env", "-u", "PYTHONDONTWRITEBYTECODE", f"PYTHONPATH={packages()}"]
    row: Row = {"network": network.name, "size": network.size, "recipe": recipe}
    row |= {"images": len(photos.images), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    with passing_folder() as folder:
        factory, record = f"{network.suite}_{network.model}", folder / "record.json"
        made = run([*limited, sys.executable, str(_FACTORIES), factory, str(photos.values), str(folder)])
        if made.status:
            return {**row, "error": f"the network cannot be made: {_last_line(made.stderr)}"}
        row |= json.loads((folder / "network.json").read_text())
        cost = run(
            [
                *(*limited, str(EDGEGAP), "export", f"{_FACTORIES}:{factory}", "--weights", str(folder / "weights.pt")),
                *("--int8", "--recipe", recipe, "--preprocess", str(photos.preprocess)),
                *("--calib", str(_PHOTOS / "calibration"), "--classes", str(_PHOTOS / "classes.txt")),
                *("--samples", str(len(photos.images))),
                *("--output", str(folder / "bundle"), "--json", str(record)),
            ]
        )
        row |= {
            "seconds": cost.seconds,
            "cpu_seconds": cost.cpu_seconds,
            "peak_mib": cost.peak_mib,
            "largest_mib": cost.largest_mib,
        }
        if cost.status:
            return {**row, "refusal": refusal(cost, str(folder))}
        try:
            return row | outcome(folder / "bundle", json.loads(record.read_text()), photos.images)
        except EdgeGapError as error:
            return {**row, "error": f"exported, and {error.what.splitlines()[0]}"}


def outcome(bundle: Path, record: Row, images: ImageSet) -> Row:
    """What a bundle holds, and how far its int8 logits are from the float ones."""
    inexact = inexact_ops(ir.load(bundle / "int8.onnx"), images.table)
    float_, int8 = predict([Prediction(bundle / f"{kind}.onnx", images) for kind in ("float", "int8")], silent)
    logits = float_.outputs.astype(np.float64)
    noise = float(np.square(int8.outputs - logits).sum())
    return {
        "exactness": record["exactness"],
        "inexact": [{"where": op.where, "lsb": op.lsb, "why": op.why} for op in inexact],
        "identity": record["identity"][0],
        "float_ops": record["float_ops"],
        "int8_ops": record["int8_ops"],
        "transposes": transposes(bundle / "int8.tflite"),
        "mib": {file["name"]: file["bytes"] / 2**20 for file in record["files"]},
        "sqnr_db": 10 * math.log10(np.square(logits).sum() / noise) if noise else None,
    }


def transposes(path: Path) -> int | None:
    """How many TRANSPOSE a `.tflite` file runs; None where there is no such file."""
    if not path.is_file():
        return None
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    operators = [graph.Operators(k) for k in range(graph.OperatorsLength())]
    codes = [model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode() for operator in operators]
    return codes.count(schema.BuiltinOperator.TRANSPOSE)


_ERROR = re.compile(
    r"(?:(?P<op>\w+) node '(?P<node>[^']*)'(?: \(module (?P<module>[^)]*)\))?: |\S*:\w+: )?"
    r"(?:cannot handle this node: )?(?P<why>.*)"
)


def refusal(cost: Cost, folder: str) -> Row:
    """Why an export ended: `why` in one sentence, and `op`, `node` and `module` where it names a node.

    Args:
        cost: of the command.
        folder: not to be named.
    """
    stderr = cost.stderr.replace(f"{folder}/", "")
    said = [line.removeprefix("edgegap: ") for line in stderr.splitlines() if line.startswith("edgegap: ")]
    nowhere = dict.fromkeys(("op", "node", "module"))
    if cost.status == _TIMED_OUT:
        return {"status": cost.status, **nowhere, "why": f"not done after {_MINUTES} minutes"}
    if not said or "Traceback" in stderr:
        why = _last_line(stderr.partition("edgegap: this is a bug")[0])
        return {"status": cost.status, **nowhere, "why": f"crashed with status {cost.status}: {why}"}
    found = _ERROR.fullmatch(said[-1])
    return {"status": cost.status, **(found.groupdict() if found else {**nowhere, "why": said[-1]})}


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no word why")


def read_rows(path: Path | None) -> dict[str, Row]:
    """The rows in a file by network, the last of each; none where there is no file."""
    if path is None or not path.is_file():
        return {}
    return {row["network"]: row for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def main() -> int:
    """Measure what is missing, save each row as it comes, print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="REGEX", help="networks whose 'SUITE NAME' it is found in")
    parser.add_argument("--suite", choices=["torchvision", "timm"])
    parser.add_argument("--recipe", default="default", help="of the exports (default: default)")
    parser.add_argument("--images", type=int, default=16, help="for calibration and comparison (default 16)")
    parser.add_argument("--jobs", type=int, choices=[1, 2], default=1, help="networks at a time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="JSON lines, one a network")
    parser.add_argument("--again", action="store_true", help="measure anew what the file holds already")
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE.relative_to(HERE.parent)}")
    arguments = parser.parse_args()
    if not (_PHOTOS / "calibration").is_dir():
        parser.error(f"{_PHOTOS} has no calibration: set EDGEGAP_DATA to the folder with imagenet/calibration")
    networks = listed()
    rows = read_rows(arguments.json)
    chosen = [
        network
        for network in networks
        if arguments.suite in (None, network.suite)
        and re.search(arguments.only, network.name)
        and (arguments.again or network.name not in rows)
    ]
    facts = machine()
    with tempfile.TemporaryDirectory(prefix="edgegap-coverage-") as folder, ThreadPoolExecutor(arguments.jobs) as pool:
        photos = {size: Photos.of(size, arguments.images, Path(folder)) for size in {n.size for n in chosen}}
        if chosen:
            packages()
        running = [pool.submit(measure, network, photos[network.size], arguments.recipe) for network in chosen]
        try:
            for done in as_completed(running):
                row = done.result() | {"machine": facts}
                rows[row["network"]] = row
                print(f"{row['network']}: {_verdict(row)}", file=sys.stderr, flush=True)
                if arguments.json is not None:
                    with arguments.json.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    text = page([rows[network.name] for network in networks if network.name in rows], [n.name for n in networks])
    print(text)
    if arguments.write_docs:
        PAGE.write_text(text + "\n", encoding="utf-8")
    return 0


def _verdict(row: Row) -> str:
    if "exactness" in row:
        return f"{row['exactness']}, {row['seconds']:.0f} s, {row['peak_mib']:.0f} MiB"
    return row["error"] if "error" in row else f"refused: {row['refusal']['why']}"


if __name__ == "__main__":
    sys.exit(main())
