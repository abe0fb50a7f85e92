"""Files of ONNX Runtime's quantize_static keep their integers, and LiteRT gives the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from ops.harness import Net

from .files import QuantType, by_onnxruntime, images_of, imported

BOTH = pytest.mark.parametrize("activation", [QuantType.QUInt8, QuantType.QInt8])


def linear_net() -> tuple[Net, onnx.ModelProto]:
    """Convolutions, a depthwise one among them, pools that move values, and a Gemm."""
    net = Net((1, 3, 12, 12))
    x = net.op("Relu", [net.conv(net.x, (8, 3, 3, 3), pads=[1, 1, 1, 1])])
    x = net.op("Relu", [net.conv(x, (8, 1, 3, 3), group=8)])
    x = net.op("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    y = net.gemm(net.op("Flatten", [x]), 10, 200)
    return net, net.in_opset(y, 18)


@BOTH
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers_keep_their_integers(tmp_path: Path, activation, per_channel: bool, bias: bool) -> None:
    net, model = linear_net()
    images = images_of(net)
    options = {"QuantizeBias": bias}
    file = by_onnxruntime(model, images, tmp_path, activation=activation, per_channel=per_channel, **options)
    got = imported(file, images, None)
    assert [found.where.split()[0] for found in got.inexact] == ["QuantizeLinear"], "no table was given"
    assert np.array_equal(got.ours, got.theirs)
    assert not got.outside
    # With int8 activations or float biases ONNX Runtime computes such a file in float: an integer may round otherwise.
    exact = activation == QuantType.QUInt8 and bias
    assert np.abs(got.ours - got.file).max() <= (0 if exact else 1)


def test_the_parameters_in_the_normal_form_are_those_of_the_file(tmp_path: Path) -> None:
    net, model = linear_net()
    file = by_onnxruntime(model, images_of(net), tmp_path)
    got = imported(file, images_of(net), None)
    ours, theirs = _arrays(ir.to_proto(got.quantized.model)), _arrays(file)
    assert ours["int8"] == theirs["int8"]
    assert ours["int32"] == theirs["int32"]
    # The scales of biases are products of two others.
    assert ours["scale"] == theirs["scale"]


def _arrays(model: onnx.ModelProto) -> dict[str, set[bytes]]:
    """The integer weights and biases of a file, sorted, and the scales of its weights and activations."""
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    found: dict[str, set[bytes]] = {"int8": set(), "int32": set(), "scale": set()}
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            integers = arrays.get(node.input[0])
            if integers is not None:
                found[str(integers.dtype)].add(np.sort(integers, axis=None).tobytes())
            if integers is None or integers.dtype == np.int8:
                found["scale"].add(arrays[node.input[1]].tobytes())
    return found


@BOTH
def test_an_average_pool_is_exact(tmp_path: Path, activation) -> None:
    net = Net((1, 3, 8, 8))
    x = net.op("Relu", [net.conv(net.x, (8, 3, 3, 3), pads=[1, 1, 1, 1])])
    x = net.op("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    y = net.conv(x, (8, 8, 1, 1))
    images = images_of(net)
    got = imported(by_onnxruntime(net.in_opset(y, 18), images, tmp_path, activation=activation), images, None)
    assert got.ops() == ["Conv", "Conv", "Conv"]
    assert np.array_equal(got.ours, got.theirs)
    assert np.abs(got.ours - got.file).max() <= 1


def test_a_concat_of_two_scales_is_exact(tmp_path: Path) -> None:
    net = Net((1, 3, 8, 8))
    small, large = net.conv(net.x, (4, 3, 1, 1)), net.conv(net.x, (4, 3, 3, 3), pads=[1, 1, 1, 1])
    y = net.conv(net.op("Concat", [small, large], axis=1), (6, 8, 1, 1))
    images = images_of(net)
    got = imported(by_onnxruntime(net.in_opset(y, 18), images, tmp_path), images, None)
    assert sorted(got.ops()) == ["Concat", *["Conv"] * got.ops().count("Conv")]
    assert got.ops().count("Conv") > 3, "no input was requantized"
    assert np.array_equal(got.ours, got.theirs)
    assert np.abs(got.ours - got.file).max() <= 1


@BOTH
@pytest.mark.parametrize("mean", ["GlobalAveragePool", "ReduceMean"])
def test_a_residual_network_states_its_additions_and_its_average(tmp_path: Path, activation, mean: str) -> None:
    net = Net((1, 3, 12, 12))
    a = net.op("Relu", [net.conv(net.x, (8, 3, 3, 3), pads=[1, 1, 1, 1])])
    b = net.op("Relu", [net.op("Add", [a, net.conv(a, (8, 8, 3, 3), pads=[1, 1, 1, 1])])])
    if mean == "ReduceMean":
        pooled = net.op("ReduceMean", [b, net.constant(np.array([2, 3], np.int64))], keepdims=0)
    else:
        pooled = net.op("Flatten", [net.op("GlobalAveragePool", [b])])
    images = images_of(net, 16)
    file = by_onnxruntime(net.in_opset(net.gemm(pooled, 10, 8), 18), images, tmp_path, activation=activation)
    got = imported(file, images, None)
    assert [found.where.split()[0] for found in got.inexact] == ["QuantizeLinear", "Add", "GlobalAveragePool"]
    assert all(found.lsb == 1 for found in got.inexact)
    assert np.abs(got.ours - got.theirs).max() <= 2
    assert np.abs(got.ours - got.file).max() <= 2


def test_batch_norm_that_was_not_folded_becomes_a_layer_of_its_own(tmp_path: Path) -> None:
    net = Net((1, 3, 8, 8))
    x = net.conv(net.x, (8, 3, 3, 3))
    parameters = [net.normal(8), net.normal(8), net.normal(8), np.abs(net.normal(8)) + 0.5]
    x = net.op("Relu", [net.op("BatchNormalization", [x, *map(net.constant, parameters)])])
    images = images_of(net)
    file = by_onnxruntime(net.in_opset(net.conv(x, (6, 8, 1, 1)), 18), images, tmp_path)
    got = imported(file, images, None)
    assert got.ops() == ["Conv", "Conv", "Conv"]
    assert np.array_equal(got.ours, got.theirs)
    assert np.abs(got.ours - got.file).max() <= 1


def test_a_channel_that_never_reaches_half_a_step_changes_nothing(tmp_path: Path) -> None:
    net = Net((1, 3, 8, 8))
    weight = net.normal(8, 3, 3, 3)
    weight[2] *= 1e-14
    weight[5] = 0
    x = net.op("Conv", [net.x, net.constant(weight), net.constant(np.where(np.arange(8) == 2, 0, net.normal(8)))])
    images = images_of(net)
    file = by_onnxruntime(net.in_opset(net.conv(net.op("Relu", [x]), (6, 8, 1, 1)), 18), images, tmp_path)
    got = imported(file, images, None)
    assert np.array_equal(got.ours, got.theirs)
    assert np.array_equal(got.ours, got.file)
    assert not got.outside
