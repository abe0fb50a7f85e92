from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper, numpy_helper

from edgegap.run import Job, Local, run_job
from edgegap.run.runner import arrange


def in_onnxruntime(artifact: Path, values: np.ndarray) -> list[np.ndarray]:
    """Every output for values [n, C, H, W], image by image, in this process."""
    session = onnxruntime.InferenceSession(str(artifact), providers=["CPUExecutionProvider"])
    runs = [session.run(None, {"x": values[i : i + 1]}) for i in range(len(values))]
    return [np.concatenate(arrays) for arrays in zip(*runs, strict=True)]


def in_litert(artifact: Path, values: np.ndarray) -> np.ndarray:
    """The output for values [n, H, W, C], image by image, in this process."""
    interpreter = Interpreter(str(artifact), num_threads=1)
    interpreter.allocate_tensors()
    rows = []
    for i in range(len(values)):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values[i : i + 1])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.concatenate(rows)


def through(table: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """[n, H, W, C], the slow way."""
    return np.stack([table[c][pixels[..., c]] for c in range(len(table))], axis=-1)


@given(
    hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 4)] * 3, st.integers(1, 3))),
    st.sampled_from(["float32", "uint8", "int8"]),
)
def test_a_pixel_becomes_its_channels_table_entry_in_the_layout_of_the_runtime(pixels, dtype):
    channels = pixels.shape[3]
    table = np.random.default_rng(1).integers(-100, 100, (channels, 256)).astype(dtype)
    values = through(table, pixels)
    last = arrange(pixels, table, channels_last=True)
    first = arrange(pixels, table, channels_last=False)
    assert last.dtype == first.dtype == dtype
    np.testing.assert_array_equal(last, values)
    np.testing.assert_array_equal(first, values.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(arrange(first, None, channels_last=True), last)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
def test_onnx_outputs_are_those_of_onnx_runtime_itself(onnx_net, pixels, table, dtype):
    table = table if dtype == "float32" else (np.tile(np.arange(256), (3, 1)) - 128 * (dtype == "int8")).astype(dtype)
    artifact, inputs = onnx_net(1, dtype), pixels(7)
    result = run_job(Job(artifact, "onnxruntime", inputs, table), Local())
    values = np.ascontiguousarray(through(table, np.load(inputs)).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(result.outputs, in_onnxruntime(artifact, values)[0])
    assert result.outputs.shape == (7, 4)
    assert (result.runtime, result.version, result.threads) == ("onnxruntime", onnxruntime.__version__, 1)


def test_preprocessed_values_reach_both_runtimes_as_they_are(onnx_net, tflite_net, tmp_path):
    values = np.random.default_rng(3).normal(0, 3, (4, 3, 4, 5)).astype(np.float32)
    np.save(tmp_path / "values.npy", values)
    onnx_file, tflite_file = onnx_net(), tflite_net()
    in_ort = run_job(Job(onnx_file, "onnxruntime", tmp_path / "values.npy"), Local())
    in_lite = run_job(Job(tflite_file, "ai-edge-litert", tmp_path / "values.npy"), Local())
    np.testing.assert_array_equal(in_ort.outputs, in_onnxruntime(onnx_file, values)[0])
    expected = in_litert(tflite_file, np.ascontiguousarray(values.transpose(0, 2, 3, 1)))
    np.testing.assert_array_equal(in_lite.outputs, expected)
    assert len(np.unique(expected)) > 1


@pytest.mark.parametrize(("name", "offset"), [("pretrainedResnet", 0), ("pretrainedResnet_quant", -128)])
def test_real_tflite_outputs_are_those_of_litert_itself(data_dir, tmp_path, name, offset):
    artifact = data_dir / "mlperf_tiny" / f"{name}.tflite"
    images = np.load(data_dir / "cifar10_test.npz")["images"][:20]
    np.save(tmp_path / "images.npy", images)
    table = (np.tile(np.arange(256), (3, 1)) + offset).astype(np.int8 if offset else np.float32)
    result = run_job(Job(artifact, "ai-edge-litert", tmp_path / "images.npy", table, threads=2), Local())
    np.testing.assert_array_equal(result.outputs, in_litert(artifact, through(table, images)))
    assert (result.runtime, result.threads) == ("ai-edge-litert", 2)


@pytest.mark.parametrize(("n", "batch"), [(5, 2), (4, 2), (1, 3)])
def test_a_last_onnx_batch_that_is_not_full_gives_its_own_rows_and_no_more(onnx_net, pixels, table, n, batch):
    job = Job(onnx_net(1), "onnxruntime", pixels(n), table)
    expected = run_job(job, Local()).outputs
    for other in (replace(job, artifact=onnx_net(batch)), replace(job, artifact=onnx_net("n"), batch=batch)):
        np.testing.assert_allclose(run_job(other, Local()).outputs, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("n", "batch"), [(5, 2), (4, 2), (1, 3)])
def test_a_last_tflite_batch_that_is_not_full_gives_its_own_rows_and_no_more(tflite_net, pixels, table, n, batch):
    job = Job(tflite_net(1), "ai-edge-litert", pixels(n), table)
    expected = run_job(job, Local()).outputs
    open_batch = replace(job, artifact=tflite_net(1, dynamic=True), batch=batch)
    for other in (replace(job, artifact=tflite_net(batch)), open_batch):
        np.testing.assert_array_equal(run_job(other, Local()).outputs, expected)


def test_onnx_tensors_come_by_name_beside_the_output(onnx_net, pixels, table):
    artifact, inputs = onnx_net(2, tapped=True), pixels(3)
    result = run_job(Job(artifact, "onnxruntime", inputs, table, tensors=("maps", "y")), Local())
    assert result.tensors["maps"].shape == (3, 4, 4, 5)
    np.testing.assert_allclose(result.tensors["maps"].mean(axis=(2, 3)), result.outputs, rtol=1e-5)


def test_tflite_tensors_come_by_name_in_the_runtimes_own_layout(tflite_net, pixels, table):
    inputs = pixels(3)
    result = run_job(Job(tflite_net(2), "ai-edge-litert", inputs, table, tensors=("sum", "y")), Local())
    expected = through(table, np.load(inputs)) - np.array([1, 2, 3], np.float32)
    np.testing.assert_array_equal(result.tensors["sum"], expected)
    np.testing.assert_array_equal(result.tensors["y"], result.outputs)


def test_every_activation_of_a_real_int8_net_can_be_fetched_and_changes_no_output(data_dir, tmp_path):
    artifact = data_dir / "mlperf_tiny" / "pretrainedResnet_quant.tflite"
    np.save(tmp_path / "images.npy", np.load(data_dir / "cifar10_test.npz")["images"][:5])
    table = (np.tile(np.arange(256), (3, 1)) - 128).astype(np.int8)
    job = Job(artifact, "ai-edge-litert", tmp_path / "images.npy", table)
    interpreter = Interpreter(str(artifact))
    ops = interpreter._get_ops_details()
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    names = tuple(details[op["outputs"][0]]["name"] for op in ops)
    tapped = run_job(replace(job, tensors=names), Local())
    assert list(tapped.tensors) == list(names)
    assert all(len(array) == 5 and array.dtype == np.int8 for array in tapped.tensors.values())
    np.testing.assert_array_equal(tapped.outputs, run_job(job, Local()).outputs)


def test_the_optimized_model_is_brought_back_and_can_be_read(onnx_net, pixels, table):
    result = run_job(Job(onnx_net(), "onnxruntime", pixels(1), table, optimized=True), Local())
    assert result.optimized is not None
    assert {node.op_type for node in onnx.load_from_string(result.optimized).graph.node} & {"Conv", "FusedConv"}
    assert run_job(Job(onnx_net(), "onnxruntime", pixels(1), table), Local()).optimized is None


def test_events_tell_of_the_session_then_of_progress_then_of_the_files(onnx_net, pixels, table):
    events = []
    run_job(Job(onnx_net(), "onnxruntime", pixels(9), table, threads=2), Local(), events.append)
    ready, *progress, done = events
    assert (ready["event"], ready["threads"], done["event"]) == ("ready", 2, "done")
    assert ready["inputs"] == [{"name": "x", "shape": [1, 3, 4, 5], "dtype": "float32"}]
    assert ready["outputs"] == [{"name": "y", "shape": [1, 4], "dtype": "float32"}]
    assert {event["event"] for event in progress} == {"progress"}
    assert (progress[-1]["done"], progress[-1]["total"]) == (9, 9)
    (file,) = done["files"]
    assert (file["shape"], file["dtype"], len(file["sha256"])) == ([9, 4], "float32", 64)


def test_operators_that_xnnpack_did_not_take_are_named(tflite_net, pixels, table, data_dir, tmp_path):
    result = run_job(Job(tflite_net(), "ai-edge-litert", pixels(1), table), Local())
    assert result.undelegated == [{"op_name": "SIGN", "index": 1}]
    tapped = run_job(Job(tflite_net(), "ai-edge-litert", pixels(1), table, tensors=("sum",)), Local())
    assert tapped.undelegated == result.undelegated

    np.save(tmp_path / "image.npy", np.zeros((1, 32, 32, 3), np.uint8))
    identity = np.tile(np.arange(256), (3, 1))
    resnet = data_dir / "mlperf_tiny" / "pretrainedResnet.tflite"
    floating = run_job(Job(resnet, "ai-edge-litert", tmp_path / "image.npy", identity.astype(np.float32)), Local())
    assert floating.undelegated == []
    int8 = resnet.with_name("pretrainedResnet_quant.tflite")
    table = (identity - 128).astype(np.int8)
    quantized = run_job(Job(int8, "ai-edge-litert", tmp_path / "image.npy", table), Local())
    assert [op["op_name"] for op in quantized.undelegated] == ["AVERAGE_POOL_2D", "SOFTMAX"]


def test_u8_times_s8_is_exact_on_every_cpu(tmp_path):
    """255 * 127 twice is more than the 16 bits of AVX2's kernels hold: without the session option this saturates."""
    scale, zero = np.float32(1), np.uint8(0)
    constants = {
        "weight": np.full((8, 8, 1, 1), 127, np.int8),
        "one": scale, "zero": zero, "szero": np.int8(0), "out": np.float32(2048),
    }  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("QLinearConv", ["x", "one", "zero", "weight", "one", "szero", "out", "zero"], ["y"])],
        "saturating",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 8, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 8, 6, 6])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    artifact = tmp_path / "saturating.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), artifact)
    np.save(tmp_path / "white.npy", np.full((1, 6, 6, 8), 255, np.uint8))
    table = np.tile(np.arange(256, dtype=np.uint8), (8, 1))
    result = run_job(Job(artifact, "onnxruntime", tmp_path / "white.npy", table), Local())
    assert np.unique(result.outputs).tolist() == [round(8 * 255 * 127 / 2048)]
