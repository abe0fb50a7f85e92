"""Whole benches on this machine, in the real runtimes, for a moment each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cli.harness import write_onnx
from hypothesis import given
from hypothesis import strategies as st

from edgegap.bench.artifacts import Artifact, choose_runtimes, file_artifacts
from edgegap.bench.bench import Benched, BenchSettings, bench, thread_counts
from edgegap.bench.instructions import ideal
from edgegap.errors import InputError
from edgegap.progress import silent
from edgegap.run.local import Local
from edgegap.run.target import load_target

CORES = len(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> list[Artifact]:
    folder = tmp_path_factory.mktemp("nets")
    small, large = write_onnx(folder / "small.onnx"), write_onnx(folder / "large.onnx", size=256)
    return [Artifact("large", large), Artifact("small", small)]


def measured(nets: list[Artifact], **settings: Any) -> Benched:
    given = {"runtimes": ["onnxruntime"], "threads": 1, "time_limit_s": 0.3} | settings
    return bench(nets, Local(), BenchSettings(**given), silent)


def test_a_small_network_is_faster_and_its_ratio_says_so(nets: list[Artifact]) -> None:
    record = measured(nets, time_limit_s=2).record
    (entry,) = record["ratios"]
    assert (entry["artifact"], entry["against"], entry["runtime"], entry["threads"]) == (
        "small",
        "large",
        "onnxruntime",
        1,
    )
    low, high = entry["ci95"]
    assert 0 < low <= entry["ratio"] <= high < 0.5  # a thousandth of the arithmetic
    for row in record["results"]:
        p50, p90, p99 = (row["latency_ms"][key] for key in ("p50", "p90", "p99"))
        assert 0 < p50 <= p90 <= p99
        low, high = row["latency_ci95_ms"]
        assert low <= p50 <= high
        assert row["bytes"] > 0
        assert row["conversion_ms"] is row["instructions"] is row["sustained"] is None


def test_threads_go_from_one_to_the_cores(nets: list[Artifact]) -> None:
    record = measured(nets[1:], threads=None).record
    assert [row["threads"] for row in record["results"]] == thread_counts(CORES)
    assert [entry["threads"] for entry in record["conditions"]] == thread_counts(CORES)


def test_more_threads_than_cores_are_run_and_said(nets: list[Artifact]) -> None:
    benched = measured(nets[1:], threads=CORES + 1)
    assert benched.record["results"][0]["threads"] == CORES + 1
    assert any(f"this machine has {CORES} cores: {CORES + 1} threads" in notice for notice in benched.notices)


def test_a_time_limit_too_short_for_fifty_runs_is_said(nets: list[Artifact]) -> None:
    notices = measured(nets, time_limit_s=0.001).notices
    assert any("where 50 are wanted, within 0.001 s" in notice for notice in notices)


def test_sustaining_goes_on_with_all_cores_and_keeps_the_latency_over_time(nets: list[Artifact]) -> None:
    record = measured(nets, threads=None, sustain_s=3.0).record
    for row in record["results"]:
        assert row["threads"] == CORES
        times = [window["at_s"] for window in row["sustained"]]
        assert times == sorted(times)
        assert times[0] < 1
        assert 2 < times[-1] < 3


def test_a_throttled_run_says_so(nets: list[Artifact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vcgencmd = tmp_path / "vcgencmd"
    vcgencmd.write_text("#!/bin/sh\necho throttled=0x50005\n")
    vcgencmd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    benched = measured(nets[1:])
    assert benched.record["results"][0]["throttled"] is True
    assert benched.record["conditions"][0]["during"]["throttled"] == ["under-voltage", "throttled"]
    assert any("this machine was throttled meanwhile (under-voltage, throttled)" in said for said in benched.notices)


@given(st.integers(1, 300))
def test_thread_counts_end_with_all_cores_and_never_exceed_them(cores: int) -> None:
    counts = thread_counts(cores)
    assert counts == sorted(set(counts))
    assert (counts[0], counts[-1]) == (1, cores)
    assert cores > 4 or counts == list(range(1, cores + 1))


def test_the_ideal_is_known_for_int8_on_aarch64() -> None:
    assert ideal(1600, load_target("pi5")) == 100
    assert ideal(1600, load_target("pi4")) == 200
    assert ideal(1600, load_target("desktop")) is None
    assert ideal(None, load_target("pi5")) is None


def choose(wanted: list[str], target: str, *suffixes: str) -> list[str]:
    artifacts = [Artifact(f"x{suffix}", Path(f"x{suffix}")) for suffix in suffixes]
    return list(choose_runtimes(artifacts, wanted, load_target(target)))  # type: ignore[arg-type]  # its literals


def test_each_format_runs_in_the_targets_own_runtime() -> None:
    assert choose([], "desktop", ".onnx", ".tflite") == ["onnxruntime", "ai-edge-litert"]
    assert choose([], "desktop", ".tflite") == ["ai-edge-litert"]
    assert choose([], "armv7", ".onnx", ".tflite") == ["tflite-runtime"]
    assert choose(["tflite-runtime"], "desktop", ".tflite") == ["tflite-runtime"]


@pytest.mark.parametrize(
    ("wanted", "target", "suffix", "words"),
    [
        (["onnxruntime"], "desktop", ".tflite", "reads .onnx files, and there is none"),
        (["onnxruntime"], "armv7", ".onnx", "armv7 has no onnxruntime"),
        ([], "armv7", ".onnx", "armv7 has no runtime for x.onnx"),
    ],
)
def test_a_runtime_that_does_not_fit_is_refused(wanted: list[str], target: str, suffix: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        choose(wanted, target, suffix)


def test_files_are_called_as_the_user_called_them(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx")
    assert file_artifacts([path]) == [Artifact(str(path), path)]
