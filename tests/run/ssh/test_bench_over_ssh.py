"""A bench on a board: the device measures, the host computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgegap.bench.artifacts import Artifact
from edgegap.bench.bench import BenchSettings, bench
from edgegap.errors import RuntimeFailure
from edgegap.progress import silent
from edgegap.run.ssh import Ssh

from .server import Board


def test_a_bench_over_ssh_gives_every_figure_and_names_no_host(
    boards: Callable[..., Board], connect: Callable[..., Ssh], onnx_net: Callable[..., Path]
) -> None:
    board = boards()
    artifacts = [Artifact("one", onnx_net()), Artifact("four", onnx_net(4))]
    settings = BenchSettings(["onnxruntime"], threads=1, time_limit_s=0.3)
    try:
        record = bench(artifacts, connect(wheelhouse=None), settings, silent).record
    except RuntimeFailure as error:
        if "no internet" in str(error):
            pytest.skip(f"pip reaches no index here: {error.hint}")
        raise
    for row in record["results"]:
        assert row["target"] == "loopback"
        assert row["latency_ms"]["p50"] > 0
        assert row["load_ms"] > 0
        assert row["peak_rss_mib"] is not None
    assert record["ratios"][0]["ratio"] > 0
    assert "board" not in str(record)
    assert [path.name for path in (board.cache / "jobs").iterdir() if path.is_dir()] == []
