"""MaxPool. Bound: 0. On values below the zero point LiteRT's interpreter pads by itself (PADV2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tflite.runtimes import outside_xnnpack

from .harness import Net, check

LSB = 2.5

windows = st.fixed_dictionaries(
    {
        "kernel_shape": st.lists(st.integers(2, 4), min_size=2, max_size=2),
        "strides": st.lists(st.integers(1, 3), min_size=2, max_size=2),
    },
    optional={"pads": st.lists(st.integers(0, 1), min_size=4, max_size=4), "ceil_mode": st.integers(0, 1)},
)


@given(windows, st.tuples(st.integers(6, 11), st.integers(6, 11)), st.integers(17, 20))
def test_max_pool_behind_a_relu_is_exact(window, size, opset: int) -> None:
    net = Net((2, 3, *size))
    check(net, net.op("MaxPool", [net.op("Relu", [net.signed_map(5)])], **window), lsb=LSB, opset=opset)


@given(windows, st.tuples(st.integers(6, 11), st.integers(6, 11)))
def test_max_pool_of_signed_values_is_exact(window, size) -> None:
    net = Net((2, 3, *size))
    pooled = net.op("MaxPool", [net.signed_map(5)], **window)
    checked = check_with_padv2(net, pooled)
    assert checked <= 1


def check_with_padv2(net: Net, output: str) -> int:
    """`check`, where a PADV2 may run outside XNNPACK; gives how many do."""
    try:
        check(net, output, lsb=LSB)
    except AssertionError:
        check(net, output, lsb=LSB, outside=["PADV2"])
        return 1
    return 0


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@given(
    kernel=st.tuples(st.integers(2, 4), st.integers(2, 4)), strides=st.tuples(st.integers(1, 3), st.integers(1, 3))
)
def test_auto_pad_is_what_onnx_says(mode: str, kernel, strides) -> None:
    net = Net((1, 4, 12, 9))
    y = net.op("MaxPool", [net.op("Relu", [net.signed_map(5)])], kernel_shape=kernel, strides=strides, auto_pad=mode)
    check(net, y, lsb=LSB)


def test_max_pool_of_the_input_pads_below_every_pixel() -> None:
    net = Net()
    y = net.op("MaxPool", [net.x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0])
    checked = check(net, y, lsb=1, outside=["PADV2"])
    assert outside_xnnpack(checked.int8_file) == {"PADV2": 1}


def test_a_relu_behind_a_max_pool_is_exact() -> None:
    net = Net()
    pooled = net.op("MaxPool", [net.signed_map(5)], kernel_shape=[2, 2], strides=[2, 2])
    check(net, net.op("Relu", [pooled]), lsb=LSB)
