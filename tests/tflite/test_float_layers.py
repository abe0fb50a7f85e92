"""A layer in float between integer ones: DEQUANTIZE, the float operator with its activation fused, QUANTIZE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ops.harness import Net
from quantize.nets import quantized

from edgegap.quantize.normal_form import Io
from edgegap.tflite import write_tflite

from .runtimes import operators, options_of, outside_xnnpack, parsed, tensors_of


def spelled(keep: int, io: Io = "float") -> bytes:
    """Conv, ReLU, Conv, ReLU6, GAP, Gemm, of which one layer stays in float."""
    net = Net((1, 3, 8, 8))
    x = net.op("Relu", [net.conv(net.x, (4, 3, 3, 3))])
    x = net.op("Clip", [net.conv(x, (6, 4, 1, 1)), net.constant(np.float32(0)), net.constant(np.float32(6))])
    y = net.gemm(net.op("Flatten", [net.op("GlobalAveragePool", [x])]), 5, 6)
    parts = quantized(net, y).parts
    return write_tflite(replace(parts, float_layers=frozenset([list(parts.linear)[keep]])).normal_form(io))


def test_a_float_convolution_stands_between_dequantize_and_quantize() -> None:
    data = spelled(1)
    conv = ["DEQUANTIZE", "CONV_2D", "QUANTIZE"]
    assert operators(data) == ["QUANTIZE", "CONV_2D", *conv, "MEAN", "RESHAPE", "FULLY_CONNECTED", "DEQUANTIZE"]
    float_conv = parsed(data).subgraphs[0].operators[3]
    types = [parsed(data).subgraphs[0].tensors[k].type for k in float_conv.inputs]
    assert types == [0, 0, 0], "input, weights and bias are FLOAT32"
    assert float_conv.builtinOptions.fusedActivationFunction == 3, "RELU6 is fused"


def test_a_float_head_ends_in_its_own_output() -> None:
    data = spelled(2)
    assert operators(data) == ["QUANTIZE", "CONV_2D", "CONV_2D", "MEAN", "RESHAPE", "DEQUANTIZE", "FULLY_CONNECTED"]
    assert options_of(data, "FULLY_CONNECTED").fusedActivationFunction == 0


def test_an_integer_input_in_front_of_a_float_layer_keeps_one_scale() -> None:
    data = spelled(0, "int8")
    assert operators(data)[:3] == ["DEQUANTIZE", "CONV_2D", "QUANTIZE"]
    assert len(tensors_of(data)["x"].quantization.scale) == 1


@pytest.mark.parametrize("keep", range(3))
def test_xnnpack_takes_all_of_it(keep: int) -> None:
    assert not outside_xnnpack(spelled(keep))
