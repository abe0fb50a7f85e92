"""Files of every opset that is read compute what ONNX Runtime computes from the original."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgegap.errors import ModelError
from edgegap.graph.canonical import canonicalize
from edgegap.graph.load import OPSETS, load_onnx

from .models import Array, assert_close, normal, run

IR_VERSIONS = {13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}


def every_spelling(opset: int) -> onnx.ModelProto:
    """Conv, BatchNorm, Clip, Pad, Relu, Split, Dropout, ReduceMean, Squeeze, Flatten, Gemm, as the opset has them."""
    arrays: dict[str, Array] = {
        "w": normal(8, 3, 3, 3),
        "gamma": normal(8, seed=1),
        "beta": normal(8, seed=2),
        "mean": normal(8, seed=3),
        "var": np.abs(normal(8, seed=4)) + 0.5,
        "low": np.array(-1, np.float32),
        "high": np.array(1.5, np.float32),
        "pads": np.array([0, 0, 1, 0, 0, 0, 0, 1]),
        "axis_3": np.array([3]),
        "axis_2": np.array([2]),
        "fc": normal(10, 8, seed=5),
        "fc_bias": normal(10, seed=6),
    }
    split, mean = ({"num_outputs": 2}, ["joined", "axis_3"]) if opset >= 18 else ({}, ["joined"])
    axes = {} if opset >= 18 else {"axes": [-1]}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["conv"]),
        helper.make_node("BatchNormalization", ["conv", "gamma", "beta", "mean", "var"], ["bn"]),
        helper.make_node("Clip", ["bn", "low", "high"], ["clip"]),
        helper.make_node("Pad", ["clip", "pads"], ["pad"], mode="constant"),
        helper.make_node("Relu", ["pad"], ["relu"]),
        helper.make_node("Split", ["relu"], ["left", "right"], axis=1, **split),
        helper.make_node("Concat", ["right", "left"], ["swapped"], axis=1),
        helper.make_node("Dropout", ["swapped"], ["joined"]),
        helper.make_node("ReduceMean", mean, ["rows"], keepdims=0, **axes),
        helper.make_node("ReduceMean", ["rows", *(["axis_2"] if axes == {} else [])], ["columns"], keepdims=1, **axes),
        helper.make_node("Squeeze", ["columns", "axis_2"], ["squeezed"]),
        helper.make_node("Flatten", ["squeezed"], ["flat"]),
        helper.make_node("Gemm", ["flat", "fc", "fc_bias"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 9, 9])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSIONS[opset])


def in_onnxruntime(path: Path, x: Array) -> Array:
    session = ort.InferenceSession(path)
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


@pytest.mark.parametrize("opset", OPSETS)
def test_a_network_of_each_opset_computes_what_the_file_does(tmp_path: Path, opset: int) -> None:
    path, x = tmp_path / "net.onnx", normal(1, 3, 9, 9, seed=7)
    onnx.save(every_spelling(opset), path)
    model = canonicalize(load_onnx(path), x.shape)
    assert model.opset_imports == {"": 18}
    assert_close(run(model, x), in_onnxruntime(path, x))


@pytest.mark.parametrize("opset", OPSETS)
def test_a_file_that_was_read_is_valid_and_the_same_network_before_any_pass(tmp_path: Path, opset: int) -> None:
    path, x = tmp_path / "net.onnx", normal(1, 3, 9, 9, seed=7)
    onnx.save(every_spelling(opset), path)
    model = load_onnx(path)
    assert model.opset_imports[""] == max(opset, 18)
    assert_close(run(model, x), in_onnxruntime(path, x))


@pytest.mark.parametrize("op", ["Max", "Min", "Mean", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"])
@pytest.mark.parametrize("axes", [None, [1, -1]])
def test_every_reduction_of_an_older_opset_keeps_its_axes(tmp_path: Path, op: str, axes: list[int] | None) -> None:
    path, x = tmp_path / "net.onnx", np.abs(normal(1, 3, 4, 4)) + 1
    node = helper.make_node(f"Reduce{op}", ["x"], ["y"], **({} if axes is None else {"axes": axes}))
    reduced = (1, 1, 1, 1) if axes is None else (1, 1, 4, 1)
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", x.shape), ("y", reduced))]
    graph = helper.make_graph([node], "network", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)
    assert_close(run(load_onnx(path), x), in_onnxruntime(path, x))


def test_a_batch_norm_that_trains_is_refused_as_opset_13_spells_it(tmp_path: Path) -> None:
    proto = every_spelling(13)
    proto.graph.node[1].output.extend(["bn_mean", "bn_var", "saved_mean", "saved_var"])
    onnx.save(proto, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="training mode"):
        load_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize("opset", [OPSETS.start - 1, OPSETS.stop])
def test_an_opset_outside_is_refused_with_those_that_are_read(tmp_path: Path, opset: int) -> None:
    graph = every_spelling(18).graph
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=f"has opset {opset}") as caught:
        load_onnx(tmp_path / "net.onnx")
    assert "13 to 23" in str(caught.value)


def test_the_other_name_of_the_domain_is_read(tmp_path: Path) -> None:
    path, x = tmp_path / "net.onnx", normal(1, 3, 9, 9, seed=7)
    proto = every_spelling(13)
    proto.opset_import[0].domain = "ai.onnx"
    onnx.save(proto, path)
    assert_close(run(canonicalize(load_onnx(path), x.shape), x), in_onnxruntime(path, x))


def test_weights_in_a_second_file_are_read(tmp_path: Path) -> None:
    x = normal(1, 3, 9, 9, seed=7)
    model = every_spelling(18)
    onnx.save(model, tmp_path / "alone.onnx")
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0)
    assert (tmp_path / "net.bin").stat().st_size > 1000
    found = canonicalize(load_onnx(tmp_path / "net.onnx"), x.shape)
    assert_close(run(found, x), in_onnxruntime(tmp_path / "alone.onnx", x))


def test_a_second_file_that_is_cut_off_or_missing_is_named(tmp_path: Path) -> None:
    onnx.save(
        every_spelling(18), tmp_path / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0
    )
    whole = (tmp_path / "net.bin").read_bytes()
    (tmp_path / "net.bin").write_bytes(whole[:100])
    with pytest.raises(ModelError, match="second file beside it: copy both"):
        load_onnx(tmp_path / "net.onnx")
    (tmp_path / "net.bin").unlink()
    with pytest.raises(ModelError, match=r"net\.bin"):
        load_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("shape", "bound"), [(("N", 3, "H", "W"), (1, 3, 9, 12)), ((None, None, None, None), (1, 3, 7, 8))]
)
def test_dynamic_axes_are_bound_and_the_file_computes_the_same_at_that_size(
    tmp_path: Path, shape: tuple[str | int | None, ...], bound: tuple[int, ...]
) -> None:
    path, x = tmp_path / "net.onnx", normal(*bound, seed=7)
    proto = every_spelling(18)
    proto.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, shape))
    onnx.save(proto, path)
    assert_close(run(canonicalize(load_onnx(path), bound), x), in_onnxruntime(path, x))
