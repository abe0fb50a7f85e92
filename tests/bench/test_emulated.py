"""Instructions stand for time on an emulated board."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.harness import write_onnx

from edgegap.bench.artifacts import Artifact
from edgegap.bench.bench import bench_emulated
from edgegap.progress import silent
from edgegap.run.emulate import is_set_up
from edgegap.run.target import load_target


def test_an_emulated_bench_counts_instructions_and_shows_no_time(tmp_path: Path) -> None:
    target = load_target("pi5")
    if not is_set_up(target):
        pytest.skip("the emulated pi5 is not set up: edgegap doctor --setup-emulator")
    net = Artifact("net", write_onnx(tmp_path / "net.onnx"), int8_macs=16_000)
    benched = bench_emulated([net], target, ["onnxruntime"], silent)
    (row,) = benched.record["results"]
    mix = row["instruction_mix"]
    assert row["instructions"] == mix["total"] > mix["memory"] > mix["mac"] > 0
    assert mix["ideal"] == 1000
    assert mix["ideal_pct"] == pytest.approx(100_000 / mix["total"])
    assert row["latency_ms"] is row["load_ms"] is row["first_ms"] is row["peak_rss_mib"] is None
    assert benched.record["emulated"]
    assert "time means nothing" in benched.notices[0]
