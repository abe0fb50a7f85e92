"""The layout pass: what moves, and above all what does not."""

from __future__ import annotations

import numpy as np
import pytest

from .nets import Net, QuantizedNet
from .runtimes import assert_same_floats, assert_same_integers, operators


def test_a_channel_shuffle_costs_one_transpose() -> None:
    net = Net()
    x = net.conv(net.input("x", (1, 4, 5, 6)), (12, 4, 1, 1))
    y = net.ints("Reshape", x, [1, 3, 4, 5, 6])
    y = net.ints("Reshape", net.op("Transpose", [y], perm=[0, 2, 1, 3, 4]), [1, 12, 5, 6])
    data = assert_same_floats(net.model(net.conv(y, (5, 12, 1, 1))), net.normal(1, 4, 5, 6))
    assert operators(data) == ["CONV_2D", "RESHAPE", "TRANSPOSE", "RESHAPE", "CONV_2D"]


def test_transposes_that_undo_each_other_vanish() -> None:
    net = Net()
    x = net.conv(net.input("x", (1, 4, 5, 6)), (8, 4, 1, 1))
    y = net.op("Relu", [net.op("Add", [net.op("Transpose", [x], perm=[0, 2, 3, 1]), net.constant(net.normal(8))])])
    y = net.conv(net.op("Transpose", [y], perm=[0, 3, 1, 2]), (5, 8, 1, 1))
    assert operators(assert_same_floats(net.model(y), net.normal(1, 4, 5, 6))) == ["CONV_2D", "ADD", "CONV_2D"]


def test_operands_in_different_layouts_meet_in_nhwc() -> None:
    net = Net()
    x = net.input("x", (1, 4, 5, 5))
    turned = net.op("Transpose", [x], perm=[0, 1, 3, 2])
    y = net.conv(net.op("Concat", [turned, x], axis=1), (3, 8, 1, 1))
    data = assert_same_floats(net.model(net.op("Add", [y, y])), net.normal(1, 4, 5, 5))
    assert operators(data) == ["TRANSPOSE", "CONCATENATION", "CONV_2D", "ADD"]


def test_a_gate_of_one_position_needs_no_transpose() -> None:
    net = Net()
    x = net.conv(net.input("x", (1, 4, 5, 6)), (8, 4, 1, 1))
    gate = net.gemm(net.op("Flatten", [net.op("GlobalAveragePool", [x])], axis=1), 8, 8)
    y = net.op("Mul", [x, net.ints("Reshape", gate, [0, 8, 1, 1])])
    data = assert_same_floats(net.model(y), net.normal(1, 4, 5, 6))
    assert operators(data) == ["CONV_2D", "MEAN", "RESHAPE", "FULLY_CONNECTED", "RESHAPE", "MUL"]


@pytest.mark.parametrize("shape", [(2, 7), (2, 3, 7), (2, 3, 4, 5, 2)])
def test_inputs_of_any_rank(shape: tuple[int, ...]) -> None:
    net = Net()
    y = net.op("Add", [net.op("Relu", [net.input("x", shape)]), net.constant(net.normal(shape[-1]))])
    assert_same_floats(net.model(y), net.normal(*shape))


def test_a_transposed_value_read_twice_is_transposed_once() -> None:
    net = Net()
    x = net.op("Transpose", [net.input("x", (1, 4, 5, 5))], perm=[0, 3, 2, 1])
    y = net.op("Add", [net.conv(x, (3, 5, 1, 1)), net.conv(x, (3, 5, 1, 1))])
    assert operators(assert_same_floats(net.model(y), net.normal(1, 4, 5, 5))).count("TRANSPOSE") == 1


def test_int8_transposes_keep_the_integers() -> None:
    net = QuantizedNet()
    x = net.quantized_conv(net.uint8_input("x", (1, 4, 5, 6), 7), (8, 4, 1, 1), 128)
    y = net.keep("Transpose", x, "turned", perm=[0, 1, 3, 2])
    z = net.quantized_conv(y, (8, 8, 1, 1), 128)
    data = assert_same_integers(net.integer_model(z), np.asarray(net.random_integers(1, 4, 5, 6)))
    assert operators(data) == ["CONV_2D", "TRANSPOSE", "CONV_2D"]
