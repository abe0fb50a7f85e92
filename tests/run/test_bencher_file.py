"""bencher.py as a device runs it: real runtimes on tiny networks, in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgegap.bench.artifacts import Artifact
from edgegap.bench.measure import Latency, measure_latency, measure_start
from edgegap.errors import DeviceError, InputError, RuntimeFailure
from edgegap.run.local import Local

Make = Callable[..., Path]


def latency(*artifacts: Path, runtime: Any = "onnxruntime", threads: int = 1, seconds: float = 0.2) -> Latency:
    named = [Artifact(path.name, path) for path in artifacts]
    return measure_latency(Local(), named, runtime, threads, lambda _, __: None, seconds=seconds, sustain=False)


def test_a_fresh_process_tells_loading_first_inference_and_memory(onnx_net: Make) -> None:
    start = measure_start(Local(), Artifact("net", onnx_net()), "onnxruntime", 1)
    assert start.load_ms > 0
    assert start.first_ms > 0
    assert start.peak_rss_mib is not None
    assert 0 < start.peak_rss_mib < 100  # the runtime itself, some tens of MiB, is not in it
    assert start.ready["cores"] >= 1
    assert start.ready["environment"]["cpu"]


def test_memory_grows_with_the_network(onnx_net: Make) -> None:
    small, large = (
        measure_start(Local(), Artifact("net", onnx_net(batch)), "onnxruntime", 1).peak_rss_mib or 0.0
        for batch in (1, 50_000)
    )
    pixels = 4 * 5 * 50_000 * 4 / 2**20
    assert large - small > 3 * pixels  # of the input alone: three channels


@pytest.mark.parametrize("threads", [1, 2])
def test_every_network_has_a_turn_in_every_round(onnx_net: Make, threads: int) -> None:
    found = latency(onnx_net(), onnx_net(4), threads=threads)
    assert len(found.series) == 2
    for times in found.series:
        assert times.dtype == np.int64
        assert times.shape[1] >= 5
        assert (times > 0).all()
        assert len(times) == len(found.starts) >= 1
    assert found.starts.shape[1] == 2
    ends = np.sort(found.starts.ravel())
    assert (np.diff(ends) > 0).all()
    # In order of time, each round's two turns come before the next round's.
    assert (found.starts.max(axis=1)[:-1] < found.starts.min(axis=1)[1:]).all()


def test_turns_come_in_both_orders(onnx_net: Make) -> None:
    starts = latency(onnx_net(), onnx_net(4), seconds=0.6).starts
    assert len(set(np.argmin(starts, axis=1))) == 2


def test_it_ends_when_the_medians_are_known_or_at_the_limit(onnx_net: Make) -> None:
    net = onnx_net()
    assert len(latency(net, seconds=0.001).series[0]) == 1
    assert latency(net, seconds=60).series[0].size >= 50


def test_a_table_is_timed_apart(onnx_net: Make, table: np.ndarray) -> None:
    artifacts = [Artifact("with", onnx_net(), table), Artifact("without", onnx_net())]
    found = measure_latency(Local(), artifacts, "onnxruntime", 1, lambda _, __: None, seconds=0.1, sustain=False)
    with_table, without = found.conversions_ms
    assert with_table is not None
    assert with_table > 0
    assert without is None


def test_tflite_files_take_turns_too(tflite_net: Make) -> None:
    found = latency(tflite_net(), tflite_net(2), runtime="ai-edge-litert")
    assert [len(times) for times in found.series] == [len(found.starts)] * 2


def test_samples_stand_before_and_after(onnx_net: Make) -> None:
    samples = latency(onnx_net()).samples
    assert samples[0]["ns"] == 0
    assert samples[-1]["ns"] > 0  # type: ignore[operator]  # it is never None


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float64"])
def test_inputs_of_every_type_are_made(onnx_net: Make, dtype: str) -> None:
    assert latency(onnx_net(dtype=dtype)).series[0].size


def test_a_tflite_file_of_open_size_is_refused(tflite_net: Make) -> None:
    path = tflite_net()
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    model.subgraphs[0].tensors[0].shapeSignature = [1, -1, -1, 3]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    with pytest.raises(InputError, match=r"leaves sizes open: \[1, -1, -1, 3\]"):
        latency(path, runtime="ai-edge-litert")


def test_a_broken_file_is_refused_by_the_runtime(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(RuntimeFailure, match=r"broken\.onnx: onnxruntime cannot load it"):
        measure_start(Local(), Artifact("broken", broken), "onnxruntime", 1)


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.onnx"):
        measure_start(Local(), Artifact("gone", tmp_path / "gone.onnx"), "onnxruntime", 1)


def test_what_a_stopped_device_ran_is_no_measurement(onnx_net: Make) -> None:
    device = Local()
    device.stop()
    with pytest.raises(DeviceError):
        measure_start(device, Artifact("net", onnx_net()), "onnxruntime", 1)
