"""The shapes that other quantizers write: torchao's PT2E, Brevitas, Quark, and EdgeGAP's own int8.onnx."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto
from ops.harness import RECIPE, Net

from edgegap.graph.canonical import canonicalize
from edgegap.graph.load import OPSETS
from edgegap.quantize.quantize import quantize

from .files import Imported, QdqNet, images_of, imported, table_of


def check(net: QdqNet, output: str, *, off_file: int = 0, opset: int = 18) -> Imported:
    """Import, run, and compare: ours with LiteRT exactly, with the file in ONNX Runtime to within `off_file`."""
    images = images_of(net)
    got = imported(net.file(output, opset), images, None)
    assert [found.where.split()[0] for found in got.inexact] == ["QuantizeLinear"], "no table was given"
    assert np.array_equal(got.ours, got.theirs)
    assert np.abs(got.ours - got.file).max() <= off_file
    assert not got.outside
    return got


@pytest.mark.parametrize("transposed", [True, False])
def test_torchao_weights_are_float_and_quantized_in_the_graph(transposed: bool) -> None:
    """convert_pt2e(fold_quantize=False), then torch.onnx.export: float weight, QuantizeLinear, DequantizeLinear."""
    net = QdqNet((1, 3, 8, 8))
    x = net.pair(net.x, 0.02, 3, np.int8)
    y = net.op("Conv", [x, _in_graph(net, net.normal(8, 3, 3, 3)), net.constant(net.normal(8))])
    y = net.pair(net.op("Relu", [y]), 0.03, -128, np.int8)
    y = net.op("MaxPool", [y], kernel_shape=[2, 2], strides=[2, 2])
    y = net.op("Reshape", [net.pair(y, 0.03, -128, np.int8), net.constant(np.array([1, 72], np.int64))])
    weight = _in_graph(net, net.normal(5, 72))
    if transposed:
        y = net.op(
            "Add", [net.op("MatMul", [y, net.op("Transpose", [weight], perm=[1, 0])]), net.constant(net.normal(5))]
        )
    else:
        y = net.op("Gemm", [y, weight, net.constant(net.normal(5))], transB=1)
    got = check(net, net.pair(y, 0.3, 5, np.int8), off_file=1)
    assert got.ops() == ["Conv", "MaxPool", "Flatten", "Gemm"]


def _in_graph(net: QdqNet, array: np.ndarray) -> str:
    scale = np.abs(array.reshape(len(array), -1)).max(axis=1) / 127
    parameters = net.parameters(scale, np.zeros(len(array)), np.int8)
    integers = net.op("QuantizeLinear", [net.constant(array), *parameters], axis=0)
    return net.op("DequantizeLinear", [integers, *parameters], axis=0)


def test_brevitas_clips_integer_weights_and_leaves_biases_in_float() -> None:
    """export_onnx_qcdq: int8 weights through a Clip to -127..127, one scale, unsigned activations behind a ReLU."""
    net = QdqNet((1, 3, 8, 8))
    x = net.pair(net.x, 0.02, 0, np.int8)
    integers = net.constant(net.rng.integers(-128, 128, (8, 3, 3, 3)).astype(np.int8))
    ends = [net.constant(np.array(end, np.int8)) for end in (-127, 127)]
    weight = [net.op("Clip", [integers, *ends]), *net.parameters(0.003, 0, np.int8)]
    y = net.op("Conv", [x, net.op("DequantizeLinear", weight), net.constant(net.normal(8))])
    y = net.pair(net.op("Relu", [y]), 0.011, 0)
    check(net, net.pair(net.op("Conv", [y, net.weight((6, 8, 1, 1))]), 0.05), off_file=1)


def test_quark_scales_are_powers_of_two_and_its_biases_are_int8() -> None:
    net = QdqNet((1, 3, 8, 8))
    x = net.pair(net.x, 2.0**-6, 0, np.int8)
    weight = net.op(
        "DequantizeLinear",
        [net.constant(net.rng.integers(-127, 128, (8, 3, 3, 3)).astype(np.int8)), *net.parameters(2.0**-9, 0, np.int8)],
    )
    bias = [net.constant(net.rng.integers(-128, 128, 8).astype(np.int8)), *net.parameters(2.0**-7, 0, np.int8)]
    y = net.op("Conv", [x, weight, net.op("DequantizeLinear", bias)])
    check(net, net.pair(y, 2.0**-5, 0, np.int8), off_file=1)


def test_uint8_weights_around_128_are_the_same_grid_as_int8() -> None:
    net = QdqNet((1, 3, 8, 8))
    y = net.op("Conv", [net.pair(net.x, 0.02), net.weight((8, 3, 3, 3), dtype=np.uint8, zero_point=128)])
    check(net, net.pair(y, 0.02), off_file=1)


def test_a_zero_point_that_is_left_out_is_zero() -> None:
    net = QdqNet((1, 3, 8, 8))
    scale = net.constant(np.array(0.02, np.float32))
    x = net.op("DequantizeLinear", [net.op("QuantizeLinear", [net.x, scale]), scale])
    check(net, net.pair(net.op("Conv", [x, net.weight((8, 3, 1, 1))]), 0.02), off_file=1)


def test_a_value_that_is_quantized_again_is_requantized_exactly() -> None:
    net = QdqNet((1, 3, 8, 8))
    x = net.pair(net.pair(net.x, 0.02), 0.031, 117)
    y = net.pair(net.op("Conv", [x, net.weight((8, 3, 3, 3))]), 0.02)
    y = net.op("MaxPool", [y], kernel_shape=[2, 2])
    y = net.pair(net.op("Conv", [net.pair(y, 0.027), net.weight((4, 8, 1, 1))]), 0.04)
    assert check(net, y, off_file=1).ops() == ["Conv", "Conv", "MaxPool", "Conv", "Conv"]


def test_an_activation_of_a_dequantized_value_is_dropped_or_requantized() -> None:
    net = QdqNet((1, 3, 8, 8))
    y = net.pair(net.op("Relu", [net.op("Conv", [net.pair(net.x, 0.02), net.weight((8, 3, 3, 3))])]), 0.02, 0)
    y = net.pair(net.op("Relu", [y]), 0.02, 0)  # it does nothing
    y = net.pair(net.op("Conv", [y, net.weight((4, 8, 1, 1))]), 0.04, 120)
    y = net.pair(net.op("Relu", [y]), 0.017, 0)
    assert check(net, y, off_file=1).ops() == ["Conv", "Conv", "Conv"]


def test_pads_and_slices_between_the_pairs_move_the_same_integers() -> None:
    net = QdqNet((1, 3, 8, 8))
    y = net.pair(net.op("Conv", [net.pair(net.x, 0.02), net.weight((8, 3, 3, 3))]), 0.02, 120)
    window = [net.constant(np.array(v, np.int64)) for v in ([0, 0], [6, 6], [2, 3], [2, 2])]
    y = net.op("Slice", [y, *window])
    y = net.op("Pad", [y, net.constant(np.array([0, 2, 0, 0, 0, 2, 0, 0], np.int64))])
    y = net.pair(net.op("Conv", [net.pair(y, 0.02, 120), net.weight((4, 12, 1, 1))]), 0.04)
    assert check(net, y, off_file=1).ops() == ["Conv", "Conv", "Pad", "Conv"]


def test_a_product_with_a_constant_per_channel_is_exact() -> None:
    net = QdqNet((1, 3, 8, 8))
    y = net.pair(net.op("Conv", [net.pair(net.x, 0.02), net.weight((8, 3, 3, 3))]), 0.02)
    factor = [
        net.constant(net.rng.integers(0, 256, (1, 8, 1, 1)).astype(np.uint8)),
        *net.parameters(0.01, 128, np.uint8),
    ]
    y = net.pair(net.op("Mul", [y, net.op("DequantizeLinear", factor)]), 0.02)
    assert check(net, y, off_file=1).ops() == ["Conv", "Conv"]


def test_a_constant_map_is_added_with_its_own_integers() -> None:
    net = QdqNet((1, 3, 8, 8))
    y = net.pair(net.op("Conv", [net.pair(net.x, 0.02), net.weight((8, 3, 3, 3))]), 0.02)
    constant = [
        net.constant(net.rng.integers(0, 256, (1, 1, 6, 6)).astype(np.uint8)),
        *net.parameters(0.01, 128, np.uint8),
    ]
    y = net.pair(net.op("Add", [y, net.op("DequantizeLinear", constant)]), 0.03)
    images = images_of(net)
    got = imported(net.file(y), images, None)
    assert got.ops() == ["Conv", "Add"]
    assert np.abs(got.ours - got.file).max() == 0
    assert np.abs(got.ours - got.theirs).max() <= 1


def test_an_integer_bias_beyond_what_float32_holds_is_kept() -> None:
    net = QdqNet((1, 3, 8, 8))
    integers = net.rng.integers(-(2**27), 2**27, 8).astype(np.int32) | 1
    x, weight = net.pair(net.x, 0.02), net.constant(net.rng.integers(-127, 128, (8, 3, 1, 1)).astype(np.int8))
    weight = net.op("DequantizeLinear", [weight, *net.parameters(0.003, 0, np.int8)])
    scale = np.float32(0.02) * np.float32(0.003)
    bias = net.op("DequantizeLinear", [net.constant(integers), *net.parameters(scale, 0, np.int32)])
    got = check(net, net.pair(net.op("Conv", [x, weight, bias]), 2000.0 * 0.02))
    biases = [
        v.const_value.numpy() for v in got.quantized.model.graph.initializers.values() if v.dtype == ir.DataType.INT32
    ]
    assert any(np.array_equal(array, integers) for array in biases)


@pytest.mark.parametrize("opset", OPSETS)
def test_every_opset_is_read(opset: int) -> None:
    net = QdqNet((1, 3, 8, 8))
    y = net.pair(net.op("Relu", [net.op("Conv", [net.pair(net.x, 0.02), net.weight((8, 3, 3, 3))])]), 0.02, 0)
    if opset < 18:
        mean = net.op("ReduceMean", [y], axes=[2, 3], keepdims=0)
    else:
        mean = net.op("ReduceMean", [y, net.constant(np.array([2, 3]))], keepdims=0)
    got = check(net, net.pair(mean, 0.005, 0), opset=opset)
    assert got.ops() == ["Conv", "GlobalAveragePool", "Flatten"]


@pytest.mark.parametrize("signed", [False, True])
def test_a_zero_point_left_out_is_0_of_the_type_that_the_file_states(signed: bool) -> None:
    """int8 by `output_dtype`, which came with opset 21; else uint8."""
    net = QdqNet((1, 3, 8, 8))
    said = {"output_dtype": TensorProto.INT8} if signed else {}

    def pair(x: str, scale: float) -> str:
        step = net.constant(np.asarray(scale, np.float32))
        return net.op("DequantizeLinear", [net.op("QuantizeLinear", [x, step], **said), step])

    weight = net.op(
        "DequantizeLinear",
        [net.constant(net.rng.integers(-127, 128, (8, 3, 3, 3)).astype(np.int8)), net.parameters(0.003, 0, np.int8)[0]],
    )
    check(net, pair(net.op("Conv", [pair(net.x, 0.02), weight]), 0.02), opset=21, off_file=1)  # it computes in float


def test_a_dynamic_batch_and_shapes_computed_from_it_are_bound() -> None:
    net = QdqNet((1, 3, 8, 8))
    y = net.pair(net.op("Relu", [net.op("Conv", [net.pair(net.x, 0.02), net.weight((8, 3, 3, 3))])]), 0.02, 0)
    batch = net.op("Slice", [net.op("Shape", [y]), *(net.constant(np.array([k], np.int64)) for k in (0, 1))])
    target = net.op("Concat", [batch, net.constant(np.array([288], np.int64))], axis=0)
    flat = net.pair(net.op("Reshape", [y, target]), 0.02, 0)
    file = net.file(net.pair(net.op("MatMul", [flat, net.weight((288, 5), axis=1)]), 0.05))
    file.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    got = imported(file, images_of(net), None)
    assert got.ops() == ["Conv", "Flatten", "Gemm"]
    assert np.array_equal(got.ours, got.theirs)
    assert np.abs(got.ours - got.file).max() <= 1


def test_our_own_int8_file_comes_back_as_it_was() -> None:
    """Its pools, pads and concats work on integers, with nothing around them."""
    net = Net((1, 3, 9, 8))
    a = net.op("Relu", [net.conv(net.x, (8, 3, 3, 3))])
    c = net.op("Concat", [net.op(op, [a], kernel_shape=[2, 2]) for op in ("MaxPool", "AveragePool")], axis=1)
    d = net.op(
        "Mul",
        [net.op("Relu", [net.op("Add", [net.conv(c, (8, 16, 1, 1)) for _ in range(2)])]), net.conv(c, (8, 16, 1, 1))],
    )
    d = net.op("Pad", [d, net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))])
    y = net.gemm(net.op("Flatten", [net.op("GlobalAveragePool", [d])]), 5, 8)
    images, table = images_of(net), table_of(net)
    model = canonicalize(ir.from_proto(net.in_opset(y, 18)), net.shape)
    own = quantize(model, [images], RECIPE, table=table).model
    got = imported(ir.to_proto(own), images, table)
    assert got.inexact == []
    assert np.array_equal(got.ours, got.file)
    assert np.array_equal(got.ours, got.theirs)
    assert got.ops() == [n.op_type for n in own.graph if "uantizeLinear" not in n.op_type]
