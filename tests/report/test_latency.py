"""Latency on the page: ratios, throttling, and how it changed over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgegap.report.report import report

from .bundles import make_bundle, record
from .parts import Page

STATE = {"frequency_mhz": 600.0, "temperature_c": 84.0, "throttled": ["under-voltage"]}


def bench(**changes: Any) -> dict[str, Any]:
    return record("bench") | changes


def page(folder: Path, benched: dict[str, Any]) -> Page:
    return Page(report([make_bundle(folder / "bundle", [record("check")], benches=[benched])], "html"))


def test_a_ratio_stands_with_its_interval_beside_its_file(tmp_path: Path) -> None:
    row = bench()["results"][1]
    where = {"runtime": row["runtime"], "threads": row["threads"]}
    ratio = {"artifact": "int8.onnx", "against": "float.onnx", **where, "ratio": 0.625, "ci95": [0.5, 0.75]}
    text = page(tmp_path, bench(ratios=[ratio])).text
    assert "of float" in text
    assert "0.62 0.50 to 0.75" in text or "0.620.50 to 0.75" in text


def test_what_throttled_a_device_is_said(tmp_path: Path) -> None:
    around = {"runtime": "onnxruntime", "threads": 4, "before": STATE, "during": STATE, "after": STATE}
    text = page(tmp_path, bench(conditions=[around])).text
    assert "Throttled while onnxruntime ran on pi4 with 4 threads: under-voltage." in text


def test_a_calm_device_is_not_mentioned(tmp_path: Path) -> None:
    calm = STATE | {"throttled": []}
    around = {"runtime": "onnxruntime", "threads": 4, "before": calm, "during": calm, "after": calm}
    assert "Throttled while" not in page(tmp_path, bench(conditions=[around])).text


def test_latency_over_time_is_drawn_once_for_files_that_took_turns(tmp_path: Path) -> None:
    benched = bench()
    for k, row in enumerate(benched["results"]):
        window = {"n": 100, "p90_ms": 3.0}
        row["sustained"] = [{**window, "at_s": at, "p50_ms": 1.0 + k + at / 600} for at in (0.0, 300.0, 600.0)]
    labels = [svg.attributes["aria-label"] for svg in page(tmp_path, benched).all("svg")]
    drawn = [label for label in labels if label.startswith("Latency over time")]
    assert len(drawn) == 2  # one for each runtime
    assert "float.onnx 1.000 to 2.000" in drawn[0]
    assert "int8.onnx 2.000 to 3.000" in drawn[0]
