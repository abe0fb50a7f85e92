"""Instruction counts repeat, add up, and follow from the network's arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from cli.harness import write_onnx

from edgegap.errors import RuntimeFailure
from edgegap.graph.macs import count_macs
from edgegap.run.emulate import count_instructions


def test_counts_repeat_and_their_kinds_fit_in_the_total(pi5, bundle):
    first, again = (count_instructions(pi5, bundle / "int8.tflite", "ai-edge-litert") for _ in range(2))
    assert first.mac == again.mac
    assert first.total == pytest.approx(again.total, rel=0.02)  # half of so small a network is the call from Python
    assert first.mac is not None
    assert first.memory is not None
    assert 0 < first.mac + first.memory < first.total


def test_float_convolutions_take_one_fused_multiply_add_for_four_macs(pi5, tmp_path):
    """In vectors of four; all else is small beside a convolution of 9.4 million products."""
    rng = np.random.default_rng(0)
    weights = {
        "stem_weight": rng.normal(size=(64, 64, 3, 3)),
        "stem_bias": np.zeros(64),
        "maps_weight": rng.normal(size=(10, 64, 1, 1)),
    }
    net = write_onnx(tmp_path / "net.onnx", channels=64, size=16, **weights)
    counts = count_instructions(pi5, net, "onnxruntime")
    ideal = count_macs(net) / 4
    assert counts.mac is not None
    assert ideal <= counts.mac < 1.1 * ideal
    assert counts.mac < counts.total < 4 * ideal


def test_a_file_that_is_none_is_named(pi5, tmp_path):
    (tmp_path / "broken.tflite").write_bytes(b"no network" * 9)
    with pytest.raises(RuntimeFailure, match=r"broken\.tflite"):
        count_instructions(pi5, tmp_path / "broken.tflite", "ai-edge-litert")
