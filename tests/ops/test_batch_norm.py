"""BatchNormalization: folded into the layer in front, else a depthwise convolution. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest

from .harness import Net, check


def batch_norm(net: Net, x: str, channels: int, **attributes: float) -> str:
    statistics = [net.normal(channels), net.normal(channels), net.normal(channels), np.abs(net.normal(channels)) + 0.1]
    return net.op("BatchNormalization", [x, *map(net.constant, statistics)], **attributes)


@pytest.mark.parametrize("epsilon", [1e-5, 1e-3])
@pytest.mark.parametrize("opset", [17, 20])
def test_behind_a_conv_it_is_folded(epsilon: float, opset: int) -> None:
    net = Net()
    y = net.op("Relu", [batch_norm(net, net.raw_conv(net.x, (6, 3, 3, 3), bias=False), 6, epsilon=epsilon)])
    assert check(net, y, opset=opset).ops() == ["Conv", "Relu"]


def test_on_the_input_it_is_a_depthwise_conv() -> None:
    net = Net()
    assert check(net, batch_norm(net, net.x, 3)).ops() == ["Conv"]


def test_behind_a_concat_it_is_a_depthwise_conv() -> None:
    """DenseNet's pre-activation."""
    net = Net()
    x = net.op("Concat", [net.op("Relu", [net.signed_map(4)]), net.op("Relu", [net.signed_map(3)])], axis=1)
    y = net.conv(net.op("Relu", [batch_norm(net, x, 7)]), (5, 7, 1, 1))
    check(net, y, lsb=5)


def test_behind_a_conv_that_something_else_reads_it_stays() -> None:
    net = Net()
    x = net.signed_map(5)
    checked = check(net, net.op("Add", [x, batch_norm(net, x, 5)]))
    assert checked.ops() == ["Conv", "Conv", "Add"]


def test_behind_a_relu_it_stays() -> None:
    net = Net()
    checked = check(net, batch_norm(net, net.op("Relu", [net.signed_map(5)]), 5))
    assert checked.ops() == ["Conv", "Relu", "Conv"]


def test_on_vectors_it_is_folded_into_the_gemm() -> None:
    net = Net((3, 3, 4, 5))
    x = net.gemm(net.op("Flatten", [net.x]), 20, 60)
    assert check(net, batch_norm(net, x, 20)).ops() == ["Flatten", "Gemm"]


def test_branches_of_repvgg_are_exact() -> None:
    net = Net((2, 4, 8, 8))
    wide = batch_norm(net, net.raw_conv(net.x, (4, 4, 3, 3), bias=False, pads=[1, 1, 1, 1]), 4)
    point = batch_norm(net, net.raw_conv(net.x, (4, 4, 1, 1), bias=False), 4)
    same = batch_norm(net, net.x, 4)
    y = net.op("Relu", [net.op("Add", [net.op("Add", [wide, point]), same])])
    check(net, y, lsb=5)
