"""What an import refuses: one sentence that names the node and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from edgegap.errors import EdgeGapError, ModelError
from edgegap.graph.load import checked
from edgegap.qdq import import_qdq, read_qdq

from .files import QdqNet

SHAPE = (1, 3, 8, 8)


def conv(net: QdqNet, x: str, weight: str | None = None, output: str | None = "culprit") -> str:
    """A Conv that is called 'culprit'."""
    return net.op("Conv", [x, weight or net.weight((8, 3, 3, 3))], output)


def innocent(net: QdqNet, x: str) -> str:
    """A Conv that is not."""
    return conv(net, x, output=None)


def typed(net: QdqNet, x: str, scale: Any, zero_point: Any, onnx_type: int) -> str:
    """A pair whose zero point has a type that NumPy lacks."""
    zero = helper.make_tensor("odd_zero_point", onnx_type, [], [zero_point])
    net.initializers["odd_zero_point"] = zero
    parameters = [net.constant(np.asarray(scale, np.float32)), "odd_zero_point"]
    integers = net.op("QuantizeLinear", [x, *parameters], "culprit")
    return net.op("DequantizeLinear", [integers, *parameters])


def int16_activations(net: QdqNet) -> str:
    return net.pair(innocent(net, typed(net, net.x, 0.01, 0, TensorProto.INT16)), 0.02)


def int4_weights(net: QdqNet) -> str:
    net.initializers["w"] = helper.make_tensor("w", TensorProto.INT4, [8, 3, 1, 1], [1] * 24)
    net.initializers["z"] = helper.make_tensor("z", TensorProto.INT4, [], [0])
    weight = net.op("DequantizeLinear", ["w", net.constant(np.array(0.1, np.float32)), "z"], "culprit")
    return net.pair(net.op("Conv", [net.pair(net.x, 0.02), weight]), 0.02)


def float16_scale(net: QdqNet) -> str:
    parameters = [net.constant(np.array(0.02, np.float16)), net.constant(np.array(0, np.uint8))]
    x = net.op("DequantizeLinear", [net.op("QuantizeLinear", [net.x, *parameters], "culprit"), *parameters])
    return net.pair(innocent(net, x), 0.02)


def asymmetric_weights(net: QdqNet) -> str:
    weight = net.weight((8, 3, 3, 3), dtype=np.uint8, zero_point=121)
    return net.pair(conv(net, net.pair(net.x, 0.02), weight), 0.02)


def weights_per_input_channel(net: QdqNet) -> str:
    return net.pair(conv(net, net.pair(net.x, 0.02), net.weight((8, 3, 3, 3), axis=1)), 0.02)


def activations_per_channel(net: QdqNet) -> str:
    parameters = net.parameters(np.full(3, 0.02), np.full(3, 128), np.uint8)
    integers = net.op("QuantizeLinear", [net.x, *parameters], "culprit", axis=1)
    return net.pair(innocent(net, net.op("DequantizeLinear", [integers, *parameters], axis=1)), 0.02)


def quantize_without_dequantize(net: QdqNet) -> str:
    y = innocent(net, net.pair(net.x, 0.02))
    return net.op("QuantizeLinear", [y, *net.parameters(0.02, 128, np.uint8)], "culprit")


def other_parameters_behind(net: QdqNet) -> str:
    integers = net.op("QuantizeLinear", [net.x, *net.parameters(0.02, 128, np.uint8)])
    x = net.op("DequantizeLinear", [integers, *net.parameters(0.03, 128, np.uint8)], "culprit")
    return net.pair(innocent(net, x), 0.02)


def a_scale_of_zero(net: QdqNet) -> str:
    integers = net.op("QuantizeLinear", [net.x, *net.parameters(0.0, 128, np.uint8)], "culprit")
    x = net.op("DequantizeLinear", [integers, *net.parameters(0.0, 128, np.uint8)])
    return net.pair(innocent(net, x), 0.02)


def an_input_in_float(net: QdqNet) -> str:
    return net.pair(conv(net, net.x), 0.02)


def an_output_in_float(net: QdqNet) -> str:
    return conv(net, net.pair(net.x, 0.02))


def an_island_between(net: QdqNet) -> str:
    y = conv(net, net.pair(net.x, 0.02))
    return net.pair(net.op("Conv", [y, net.weight((4, 8, 1, 1))]), 0.02)


def an_addition_in_float(net: QdqNet) -> str:
    """torchao's X86InductorQuantizer: the Conv's output goes into the Add in float."""
    x = net.pair(net.x, 0.02)
    added = net.op("Add", [conv(net, x), net.pair(innocent(net, x), 0.02)])
    return net.pair(net.op("Relu", [added]), 0.03, 0)


def float_weights(net: QdqNet) -> str:
    return net.pair(conv(net, net.pair(net.x, 0.02), net.constant(net.normal(8, 3, 3, 3))), 0.02)


def two_grids_for_one_value(net: QdqNet) -> str:
    y = conv(net, net.pair(net.x, 0.02))
    a, b = (net.op("Conv", [net.pair(y, scale), net.weight((4, 8, 1, 1))]) for scale in (0.02, 0.03))
    return net.pair(net.op("Concat", [net.pair(a, 0.04), net.pair(b, 0.04)], axis=1), 0.04)


def batch_norm_without_a_pair(net: QdqNet) -> str:
    y = conv(net, net.pair(net.x, 0.02))
    factor = net.constant(net.normal(1, 8, 1, 1))
    return net.pair(net.op("Mul", [y, factor]), 0.02)


def a_weight_of_minus_128(net: QdqNet) -> str:
    integers = np.zeros((8, 3, 1, 1), np.int8)
    integers[4, 1] = -128
    weight = net.op("DequantizeLinear", [net.constant(integers), *net.parameters(0.003, 0, np.int8)])
    return net.pair(conv(net, net.pair(net.x, 0.02), weight), 0.02)


def a_relu_on_a_symmetric_grid(net: QdqNet) -> str:
    y = innocent(net, net.pair(net.x, 0.02))
    return net.pair(net.op("Relu", [y], "culprit"), 0.02, 0, np.int8)


def an_addition_of_scales_far_apart(net: QdqNet) -> str:
    a, b = (net.pair(innocent(net, net.pair(net.x, 0.02)), s) for s in (0.02, 6.0))
    return net.pair(net.op("Add", [a, b], "culprit"), 0.02)


def an_output_too_fine(net: QdqNet) -> str:
    return net.pair(conv(net, net.pair(net.x, 1.0)), 1e-6)


def a_bias_beyond_32_bits(net: QdqNet) -> str:
    weight = net.op(
        "DequantizeLinear", [net.constant(np.ones((8, 3, 1, 1), np.int8)), *net.parameters(1e-7, 0, np.int8)]
    )
    y = net.op("Conv", [net.pair(net.x, 0.02), weight, net.constant(np.full(8, 9.0, np.float32))], "culprit")
    return net.pair(y, 0.1)


def padding_that_does_not_count(net: QdqNet) -> str:
    y = net.pair(innocent(net, net.pair(net.x, 0.02)), 0.02)
    pool = net.op("AveragePool", [y], "culprit", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return net.pair(pool, 0.02)


def a_difference(net: QdqNet) -> str:
    a, b = (net.pair(innocent(net, net.pair(net.x, 0.02)), 0.02) for _ in range(2))
    return net.pair(net.op("Sub", [a, b], "culprit"), 0.02)


def an_op_without_an_int8_form(net: QdqNet) -> str:
    y = net.pair(innocent(net, net.pair(net.x, 0.02)), 0.02)
    return net.pair(net.op("Selu", [y], "culprit"), 1 / 256, 0)


def dynamic_quantization(net: QdqNet) -> str:
    names = [net.op("DynamicQuantizeLinear", [net.x], "culprit")]
    net.nodes[-1].output.extend(["dynamic_scale", "dynamic_zero_point"])
    return net.op("DequantizeLinear", [names[0], "dynamic_scale", "dynamic_zero_point"])


def integer_convolution(net: QdqNet) -> str:
    x = net.op("QuantizeLinear", [net.x, *net.parameters(0.02, 128, np.uint8)])
    weight = net.constant(np.ones((8, 3, 1, 1), np.int8))
    return net.op("Cast", [net.op("ConvInteger", [x, weight], "culprit")], to=TensorProto.FLOAT)


def operator_format(net: QdqNet) -> str:
    x = net.op("QuantizeLinear", [net.x, *net.parameters(0.02, 128, np.uint8)])
    weight = [net.constant(np.ones((8, 3, 1, 1), np.int8)), *net.parameters(0.003, 0, np.int8)]
    parameters = net.parameters(0.02, 128, np.uint8)
    y = net.op("QLinearConv", [x, *parameters, *weight, *parameters], "culprit")
    return net.op("DequantizeLinear", [y, *parameters])


CASES: list[tuple[Callable[[QdqNet], str], str, str]] = [
    (int16_activations, "int16", "8 bits"),
    (int4_weights, "int4", "8 bits"),
    (float16_scale, "float16", "float32"),
    (asymmetric_weights, "asymmetric: zero point 121 of uint8", "symmetrically"),
    (weights_per_input_channel, "per input channel", "per output channel"),
    (activations_per_channel, "per channel of an activation", "per tensor"),
    (quantize_without_dequantize, "no DequantizeLinear follows it", "DequantizeLinear"),
    (other_parameters_behind, "other parameters", "again"),
    (a_scale_of_zero, "not above 0", "calibrated"),
    (an_input_in_float, "the network's input reaches it in float", "around it"),
    (an_output_in_float, "its output is not quantized", "around it"),
    (an_island_between, "in float", "around it"),
    (an_addition_in_float, "in float", "around it"),
    (float_weights, "its weight is float", "weight"),
    (two_grids_for_one_value, "quantized twice with different parameters", "one set"),
    (batch_norm_without_a_pair, "scales its output", "Fold BatchNorm"),
    (a_weight_of_minus_128, "weight of channel 4 is -128", "--resnap"),
    (a_relu_on_a_symmetric_grid, "clips to less than its grid spans", "ActivationSymmetric=False"),
    (an_addition_of_scales_far_apart, "300 steps of its output", "--resnap"),
    (an_output_too_fine, "XNNPACK does not take it", "--int8"),
    (a_bias_beyond_32_bits, "bias of channel 0 does not fit 32 bits", "--int8"),
    (padding_that_does_not_count, "its padding does not count", "count_include_pad"),
    (a_difference, "a Sub of two activations", "--int8"),
    (an_op_without_an_int8_form, "Selu", "ReLU"),
    (dynamic_quantization, "dynamically", "statically"),
    (integer_convolution, "dynamically", "statically"),
    (operator_format, "operator format", "QDQ"),
]


def read(proto: onnx.ModelProto) -> None:
    import_qdq(read_qdq(checked(ir.from_proto(proto), "file.onnx"), SHAPE), table=None)


@pytest.mark.parametrize(("build", "words", "advice"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_cannot_be_kept_is_refused_by_the_node(build: Callable[[QdqNet], str], words: str, advice: str) -> None:
    net = QdqNet(SHAPE)
    file = net.file(build(net))
    with pytest.raises(ModelError) as caught:
        read(file)
    error: EdgeGapError = caught.value
    assert words in error.what
    assert error.hint is not None
    assert advice in error.hint
    assert "culprit" in f"{error.where} {error.what}"
    assert "node" in str(error.where)


def test_an_input_of_integers_is_refused() -> None:
    net = QdqNet(SHAPE)
    x = net.op("DequantizeLinear", [net.x, *net.parameters(0.02, 128, np.uint8)])
    file = net.file(net.pair(conv(net, x), 0.02))
    file.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    with pytest.raises(ModelError, match="the input 'x' is integers already"):
        read(file)
