"""What a check costs beyond bare predictions: ResNet-8 on CIFAR-10's 10,000 test images, one thread.

Bare: float.onnx, int8.onnx and int8.tflite run over the images, decoded once. The check runs float.tflite too, and does
everything else; its analysis per layer, on 64 images, is timed apart.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import CASES
from output import describe, machine, markdown, write_record

from edgegap.bundle import open_bundle
from edgegap.check.check import CheckSettings, check
from edgegap.check.layers import SUBSET, compare_layers
from edgegap.check.loading import load_images, open_for
from edgegap.check.predict import Prediction, predict
from edgegap.check.taps import subset
from edgegap.progress import silent

MOST = 1.3
_BARE = ("float.onnx", "int8.onnx", "int8.tflite")


def seconds(work: Callable[[], Any]) -> float:
    """How long `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Measure, print, and fail where the check costs more than `MOST` times the bare predictions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    arguments = parser.parse_args()
    facts = machine()
    case = next(case for case in CASES if case.factory == "resnet8")
    data = str(case.tests[0])
    with tempfile.TemporaryDirectory(prefix="edgegap-") as name:
        folder = Path(name)
        subprocess.run(case.export(folder / "bundle", "default", folder / "export.json"), check=True)
        bundle = open_bundle(folder / "bundle")
        images = load_images(bundle, open_for(bundle, data, None, folder), folder / "images.npy", silent)
        bare = seconds(lambda: [predict([Prediction(bundle.file(artifact), images)], silent) for artifact in _BARE])
        some = subset(images, SUBSET, folder / "some.npy")
        layers = seconds(lambda: compare_layers(bundle.file(_BARE[0]), bundle.file(_BARE[1]), some, None, silent))
        whole = seconds(lambda: check(bundle, CheckSettings(data), silent))
    ratio = (whole - layers) / bare
    row = {"bare, s": round(bare, 2), "check, s": round(whole, 2), "of it layers, s": round(layers, 2)}
    print(describe(facts))
    print(markdown([{**row, "ratio without layers": round(ratio, 2)}]))
    write_record(arguments.json, "edgegap.benchmark.check_cost/1", facts, [{**row, "ratio": ratio}])
    return int(ratio > MOST)


if __name__ == "__main__":
    raise SystemExit(main())
