"""AveragePool, as a depthwise convolution. Bound: 0."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError

from .harness import Net, check
from .seeded import few


@few(
    st.lists(st.integers(2, 4), min_size=2, max_size=2),
    st.lists(st.integers(1, 3), min_size=2, max_size=2),
    st.lists(st.integers(0, 1), min_size=4, max_size=4),
    st.booleans(),
    st.booleans(),
    st.tuples(st.integers(6, 11), st.integers(6, 11)),
    st.integers(17, 20),
)
def test_average_pool_is_exact(kernel, strides, pads, counts: bool, ceil: bool, size, opset: int) -> None:
    net = Net((2, 3, *size))
    y = net.op(
        "AveragePool",
        [net.op("Relu", [net.signed_map(5)])],
        kernel_shape=kernel,
        strides=strides,
        pads=pads,
        count_include_pad=int(counts),
        ceil_mode=int(ceil),
    )
    with contextlib.suppress(*[UnsupportedOpError] * ceil):  # a window in the padding alone: see test_max_pool
        check(net, y, opset=opset)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@few(kernel=st.integers(3, 4), stride=st.integers(1, 3), counts=st.booleans())
def test_auto_pad_is_what_onnx_says(mode: str, kernel: int, stride: int, counts: bool) -> None:
    net = Net((1, 4, 12, 9))
    y = net.op(
        "AveragePool",
        [net.x],
        kernel_shape=[kernel, kernel],
        strides=[stride, stride],
        auto_pad=mode,
        count_include_pad=int(counts),
    )
    check(net, y)


def test_one_window_over_the_whole_map_is_a_global_average() -> None:
    net = Net((2, 3, 7, 5))
    y = net.op("AveragePool", [net.op("Relu", [net.signed_map(9)])], kernel_shape=[7, 5])
    assert "GlobalAveragePool" in check(net, y).ops()


def test_an_average_between_convs_is_exact() -> None:
    net = Net((2, 3, 10, 10))
    x = net.op("Relu", [net.signed_map(6)])
    x = net.op("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    check(net, net.conv(x, (4, 6, 3, 3)), lsb=5)


def test_a_relu_behind_an_average_is_exact() -> None:
    net = Net((2, 3, 10, 10))
    x = net.op("AveragePool", [net.signed_map(6)], kernel_shape=[3, 3], strides=[2, 2])
    check(net, net.op("Relu", [x]))
