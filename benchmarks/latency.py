"""Latency of the int8 files against float and against ONNX Runtime's own int8 file: one thread, batch 1, in turn.

python benchmarks/latency.py [--networks resnet8 nin] [--rounds 15] [--json latency.json]

Every file runs for a moment in each round, so that a change of load meets all of them; a ratio is taken within a round,
and shown as the median (lower to upper quartile) over the rounds. On an x86-64 CPU with AVX2 and no VNNI ONNX Runtime's
default int8 kernels saturate: there its int8 files, ours and its own, run with session.x64quantprecision=1 as well.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from ai_edge_litert.interpreter import Interpreter
from cases import CASES, Case, chosen
from output import describe, machine, markdown, write_record
from processes import run

from edgegap.run.runner import why_exact_kernels

MOMENT = 0.1
"""Seconds that a file runs in a round."""

EXACT_KERNELS = {"session.x64quantprecision": "1"}


def onnx(path: Path, **config: str) -> Callable[[], Any]:
    """A function that runs an .onnx file once."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in config.items():
        options.add_session_config_entry(key, value)
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    values = _noise(entry.shape)
    return lambda: session.run(None, {entry.name: values})


def tflite(path: Path) -> Callable[[], Any]:
    """A function that runs a .tflite file once, with XNNPACK as LiteRT applies it by default."""
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    interpreter.set_tensor(entry["index"], _noise(entry["shape"]))
    return interpreter.invoke


def _noise(shape: Any) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(tuple(shape)).astype(np.float32)


def files(bundle: Path, peer: Path) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    runs = {
        "ORT float": onnx(bundle / "float.onnx"),
        "ORT int8": onnx(bundle / "int8.onnx"),
        "ORT peer": onnx(peer),
        "LiteRT float": tflite(bundle / "float.tflite"),
        "LiteRT int8": tflite(bundle / "int8.tflite"),
    }
    if why_exact_kernels():
        runs["ORT int8, exact"] = onnx(bundle / "int8.onnx", **EXACT_KERNELS)
        runs["ORT peer, exact"] = onnx(peer, **EXACT_KERNELS)
    return runs


def interleaved(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, np.ndarray]:
    """The median milliseconds [rounds] of every run in every round."""
    medians: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, once in runs.items():
            times = []
            until = time.perf_counter() + MOMENT
            while len(times) < 3 or time.perf_counter() < until:
                began = time.perf_counter()
                once()
                times.append(time.perf_counter() - began)
            medians[name].append(float(np.median(times)) * 1e3)
    return {name: np.array(values[1:]) for name, values in medians.items()}  # the first round warms up


def measure(case: Case, folder: Path, rounds: int) -> dict[str, Any]:
    """Latencies and ratios of one network."""
    bundle, peer = folder / case.factory, folder / f"{case.factory}.onnx"
    for command in (case.export(bundle, "default", folder / "record.json"), case.ort_quantize(peer)):
        cost = run(command)
        if cost.status:
            sys.exit(f"{' '.join(command[:3])} ended with status {cost.status}:\n{cost.stderr}")
    medians = interleaved(files(bundle, peer), rounds)

    def ratio(a: str, b: str) -> dict[str, float]:
        low, middle, high = np.quantile(medians[a] / medians[b], (0.25, 0.5, 0.75))
        return {"median": float(middle), "p25": float(low), "p75": float(high)}

    ratios = {}
    for suffix in ("", ", exact") if "ORT int8, exact" in medians else ("",):
        ratios[f"ORT int8 / float{suffix}"] = ratio(f"ORT int8{suffix}", "ORT float")
        ratios[f"ORT peer / float{suffix}"] = ratio(f"ORT peer{suffix}", "ORT float")
        ratios[f"ORT int8 / peer{suffix}"] = ratio(f"ORT int8{suffix}", f"ORT peer{suffix}")
    ratios["LiteRT int8 / float"] = ratio("LiteRT int8", "LiteRT float")
    milliseconds = {name: float(np.median(values)) for name, values in medians.items()}
    return {"network": case.weights, "rounds": rounds, "ms": milliseconds, "ratios": ratios}


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=[case.factory for case in CASES])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    facts = machine()
    results = []
    with tempfile.TemporaryDirectory(prefix="edgegap-") as folder:
        for case in chosen(arguments.networks):
            print(f"{case.weights} ...", file=sys.stderr, flush=True)
            results.append(measure(case, Path(folder), arguments.rounds))
    print(f"One thread, batch 1. {describe(facts)}.")
    if facts["ort_exact_kernels"]:
        print(f"'exact' is with session.x64quantprecision=1: {facts['ort_exact_kernels']}.")
    print("\nMilliseconds:\n")
    print(markdown([{"network": r["network"], **{name: f"{ms:.3f}" for name, ms in r["ms"].items()}} for r in results]))
    print("\nRatios, median (quartiles) over the rounds:\n")
    print(
        markdown([{"network": r["network"], **{name: _spread(q) for name, q in r["ratios"].items()}} for r in results])
    )
    write_record(arguments.json, "edgegap.benchmarks.latency/1", facts, results)


def _spread(quartiles: dict[str, float]) -> str:
    return "{median:.2f} ({p25:.2f}-{p75:.2f})".format(**quartiles)


if __name__ == "__main__":
    main()
