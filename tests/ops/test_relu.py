"""Relu: free behind arithmetic, a requantize elsewhere. Bound: 0."""

from __future__ import annotations

import numpy as np
from tflite.runtimes import operators

from .harness import Net, check


def test_relu_behind_a_conv_is_free() -> None:
    net = Net()
    checked = check(net, net.op("Relu", [net.conv(net.x, (5, 3, 3, 3))]))
    assert operators(checked.int8_file) == ["CONV_2D"]
    assert operators(checked.float_file) == ["CONV_2D"]


def test_relu_of_the_input_is_exact() -> None:
    net = Net()
    check(net, net.op("Relu", [net.x]))


def test_relu_behind_a_concat_is_exact() -> None:
    net = Net()
    check(net, net.op("Relu", [net.op("Concat", [net.signed_map(4), net.signed_map(3)], axis=1)]))


def test_relu_behind_a_max_pool_is_exact() -> None:
    net = Net()
    y = net.op("MaxPool", [net.signed_map(4)], kernel_shape=[2, 2], strides=[2, 2])
    check(net, net.op("Relu", [y]))


def test_relu_of_vectors_is_exact() -> None:
    net = Net((3, 3, 4, 5))
    y = net.gemm(net.op("Flatten", [net.x]), 30, 60)
    check(net, net.op("Relu", [y]))


def test_relu_behind_a_flatten_is_exact() -> None:
    net = Net((3, 3, 4, 5))
    check(net, net.op("Relu", [net.op("Flatten", [net.signed_map(4)])]))


def test_a_value_read_before_and_behind_its_relu_is_exact() -> None:
    net = Net()
    x = net.signed_map(5)
    branch = net.conv(net.op("Relu", [x]), (5, 5, 3, 3), pads=[1, 1, 1, 1])
    check(net, net.op("Add", [x, branch]))


def test_two_relus_of_one_value_are_exact() -> None:
    net = Net()
    x = net.signed_map(5)
    check(net, net.op("Concat", [net.op("Relu", [x]), net.op("Relu", [x]), x], axis=1))


def test_relu_of_a_relu_is_exact() -> None:
    net = Net()
    check(net, net.op("Relu", [net.op("Relu", [net.signed_map(5)])]))


def test_relu_of_values_that_are_never_negative_is_exact() -> None:
    net = Net()
    weights = [net.constant(np.abs(net.normal(5, 3, 1, 1))), net.constant(np.full(5, 50, np.float32))]
    check(net, net.op("Relu", [net.op("Conv", [net.x, *(weights)])]))


def test_the_relu_of_the_output_and_of_a_pre_activation_block_is_exact() -> None:
    net = Net()
    x = net.signed_map(6)
    for _ in range(2):
        x = net.op("Add", [x, net.conv(net.op("Relu", [x]), (6, 6, 3, 3), pads=[1, 1, 1, 1])])
    check(net, net.op("Relu", [x]), lsb=6)
