"""`edgegap bench`: the record, where it is kept, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from report.test_schemas import closed

from edgegap.schema import read_record, schema

from .harness import edgegap, refused, write_onnx
from .test_interrupts import STARTED, Running

BRIEF = ("--threads", 1, "--time-limit", 0.3)


def test_a_bundle_is_measured_and_its_record_kept(bundle: Path) -> None:
    done = edgegap("bench", bundle, *BRIEF, "--json", "-")
    assert done.status == 0, done.err
    record = done.record
    Draft202012Validator(closed(schema("bench"))).validate(record)
    assert json.loads((bundle / "benches" / "desktop.json").read_text()) == record
    found = [(row["artifact"], row["runtime"]) for row in record["results"]]
    assert found == [
        ("float.onnx", "onnxruntime"),
        ("int8.onnx", "onnxruntime"),
        ("float.tflite", "ai-edge-litert"),
        ("int8.tflite", "ai-edge-litert"),
    ]
    assert [(r["artifact"], r["against"]) for r in record["ratios"]] == [
        ("int8.onnx", "float.onnx"),
        ("int8.tflite", "float.tflite"),
    ]
    for row in record["results"]:
        assert row["target"] == "desktop"
        assert row["bytes"] == (bundle / row["artifact"]).stat().st_size
        assert row["conversion_ms"] > 0
        assert row["load_ms"] > 0
        assert row["first_ms"] > 0
    assert set(record["environment"]["runtimes"]) == {"onnxruntime", "ai-edge-litert"}


def test_the_table_and_the_report_show_it(bundle: Path) -> None:
    done = edgegap("bench", bundle, *BRIEF, "--runtime", "ai-edge-litert")
    assert done.status == 0, done.err
    for word in ("ai-edge-litert", "desktop", "float.tflite", "int8.tflite", "p50", "ratio"):
        assert word in done.out
    assert "onnxruntime" not in done.out
    assert edgegap("report", bundle, "-o", bundle / "report.html").status == 0
    page = (bundle / "report.html").read_text()
    assert "Latency and memory" in page
    assert "of float" in page


def test_a_sustained_bench_is_kept_beside_the_other_and_drawn(bundle: Path) -> None:
    for more in ((), ("--sustain", "1s")):
        assert edgegap("bench", bundle, *BRIEF, "--runtime", "ai-edge-litert", *more).status == 0
    sustained = read_record(bundle / "benches" / "desktop-sustained.json", "bench")
    assert all(row["sustained"] for row in sustained["results"])
    assert (bundle / "benches" / "desktop.json").is_file()
    assert edgegap("report", bundle, "-o", bundle / "report.html").status == 0
    assert "Latency over time, from the first to the last window: float.tflite" in (bundle / "report.html").read_text()


def test_a_bundle_that_takes_integers_is_measured(integers: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(integers, tmp_path / "bundle"))
    record = edgegap("bench", bundle, *BRIEF, "--json", "-").record
    assert all(row["conversion_ms"] > 0 for row in record["results"])


def test_files_need_no_bundle(tmp_path: Path, tiny_onnx: Path) -> None:
    other = write_onnx(tmp_path / "other.onnx", batch="n")
    done = edgegap("bench", tiny_onnx, other, *BRIEF, "--json", "-")
    assert done.status == 0, done.err
    assert [row["artifact"] for row in done.record["results"]] == [str(tiny_onnx), str(other)]
    assert done.record["ratios"][0]["against"] == str(tiny_onnx)
    assert all(row["conversion_ms"] is None for row in done.record["results"])


def test_calls_that_make_no_sense_are_refused(tmp_path: Path, tiny_onnx: Path, trained: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no network")
    refused("bench", tmp_path / "gone.onnx", words="no such file")
    refused("bench", text, words="neither .onnx nor .tflite")
    refused("bench", tmp_path, words=("is a folder", "manifest.json"))
    refused("bench", trained, tiny_onnx, words="one folder of several")
    refused("bench", tiny_onnx, "--runtime", "ai-edge-litert", words="reads .tflite files")
    refused("bench", tiny_onnx, "--target", "pi5", words=("pi5", "--host", "--emulate"))
    refused("bench", tiny_onnx, "--target", "pi5", "--host", "a", "--host", "b", words="one device")
    refused("bench", tiny_onnx, "--threads", 0, words="--threads")
    refused("bench", tiny_onnx, "--time-limit", 0, words="--time-limit")


@pytest.mark.parametrize("duration", ["10", "0s", "-1m", "m", "1d", "nan", ""])
def test_a_duration_needs_a_number_and_a_unit(tiny_onnx: Path, duration: str) -> None:
    refused("bench", tiny_onnx, f"--sustain={duration}", words=("--sustain", "10m"))


def test_a_network_of_open_size_is_refused_by_its_input(tmp_path: Path) -> None:
    net = write_onnx(tmp_path / "open.onnx", size="side")
    refused("bench", net, *BRIEF, words=("open.onnx", "'input'", "side", "fixed sizes"))


def test_a_file_that_no_runtime_can_read_is_refused(tmp_path: Path) -> None:
    for name in ("broken.onnx", "broken.tflite"):
        broken = tmp_path / name
        broken.write_bytes(b"no network at all")
        refused("bench", broken, *BRIEF, words=(name, "cannot load it"), status=3)


def test_an_interrupted_bench_leaves_the_old_record_or_none(bundle: Path, tmp_path: Path) -> None:
    for k in range(3):
        running = Running(tmp_path, ["bench", bundle, "--time-limit", 5], bundle)
        time.sleep(STARTED + 1.2 * k)
        assert running.send(signal.SIGINT) == 0 or not list(bundle.glob("benches/*"))


def test_the_machine_is_told_of_threads_it_has_not(tiny_onnx: Path) -> None:
    many = len(os.sched_getaffinity(0)) + 1
    done = edgegap("bench", tiny_onnx, "--threads", many, "--time-limit", 0.2)
    assert done.status == 0
    assert f"{many} threads" in done.err
