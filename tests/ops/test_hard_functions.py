"""HardSigmoid, HardSwish, LeakyRelu, PRelu: rewritten. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from tflite.runtimes import operators

from edgegap.errors import UnsupportedOpError

from .harness import Net, check
from .seeded import few


@few(st.floats(0.1, 0.5), st.floats(0.2, 0.8), st.integers(0, 9))
def test_hard_sigmoid_behind_a_conv_is_free(alpha: float, beta: float, seed: int) -> None:
    net = Net(seed=seed)
    y = net.op("HardSigmoid", [net.signed_map(5)], alpha=alpha, beta=beta)
    checked = check(net, y, lsb=16, opset=14)
    assert operators(checked.int8_file) == ["CONV_2D"]


def test_hard_sigmoid_of_a_sum_and_of_vectors_is_exact() -> None:
    net = Net((9, 3, 4, 5))
    x = net.op("HardSigmoid", [net.op("Add", [net.signed_map(5), net.signed_map(5)])])
    y = net.op("HardSigmoid", [net.gemm(net.op("Flatten", [x]), 10, 100)])
    check(net, y, lsb=16, opset=14)


@few(st.integers(1, 3), st.integers(0, 99))
def test_hard_swish_is_exact(kernel: int, seed: int) -> None:
    net = Net(seed=seed)
    checked = check(net, net.op("HardSwish", [net.conv(net.x, (5, 3, kernel, kernel))]), lsb=8)
    assert operators(checked.int8_file) == ["CONV_2D", "DEPTHWISE_CONV_2D", "MUL"]
    assert operators(checked.float_file) == ["CONV_2D", "HARD_SWISH"]


def test_hard_swish_of_vectors_the_input_and_a_sum_is_exact() -> None:
    net = Net((9, 3, 4, 5))
    x = net.op("HardSwish", [net.x])
    y = net.op("HardSwish", [net.op("Add", [x, net.signed_map(3)])])
    check(net, net.op("HardSwish", [net.gemm(net.op("Flatten", [y]), 10, 60)]), lsb=12)


@few(st.floats(-0.5, 1), st.integers(0, 99))
def test_leaky_relu_is_exact(alpha: float, seed: int) -> None:
    net = Net(seed=seed)
    check(net, net.op("LeakyRelu", [net.signed_map(5)], alpha=alpha), lsb=8)


def test_leaky_relu_of_vectors_and_of_the_input_is_exact() -> None:
    net = Net((9, 3, 4, 5))
    x = net.op("LeakyRelu", [net.x], alpha=0.1)
    check(net, net.op("LeakyRelu", [net.gemm(net.op("Flatten", [x]), 10, 60)]), lsb=8)


@pytest.mark.parametrize("shape", [(5, 1, 1), (1,), (1, 1, 1)])
def test_prelu_is_exact(shape: tuple[int, ...]) -> None:
    net = Net()
    slope = net.constant(net.rng.uniform(-0.3, 1, shape).astype(np.float32))
    check(net, net.op("PRelu", [net.signed_map(5), slope]), lsb=8)


def test_a_slope_above_one_is_refused() -> None:
    net = Net()
    with pytest.raises(UnsupportedOpError, match=r"slope is 1\.5"):
        check(net, net.op("LeakyRelu", [net.signed_map(3)], alpha=1.5))


@pytest.mark.parametrize("constant_first", [False, True])
def test_max_and_min_with_a_number_are_a_clip(constant_first: bool) -> None:
    net = Net()
    x = source = net.signed_map(5)
    for op, end in (("Max", -1.0), ("Min", 2.0)):
        inputs = [x, net.constant(np.float32([end]))]
        x = net.op(op, inputs[::-1] if constant_first else inputs)
    checked = check(net, x, of=[source])
    assert checked.ops() == ["Conv", "Clip", "Clip"]


def test_the_negative_and_the_square_are_exact() -> None:
    net = Net()
    x = net.signed_map(5)
    square = net.op("Pow", [x, net.constant(np.float32(2))])
    check(net, net.op("Add", [square, net.op("Neg", [x])]), lsb=8)
