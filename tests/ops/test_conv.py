"""Conv. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from tflite.runtimes import operators

from .harness import Net, check
from .seeded import few

conv_attributes = st.fixed_dictionaries(
    {},
    optional={
        "strides": st.lists(st.integers(1, 3), min_size=2, max_size=2),
        "dilations": st.lists(st.integers(1, 2), min_size=2, max_size=2),
        "pads": st.lists(st.integers(0, 2), min_size=4, max_size=4),
    },
)


@few(conv_attributes, st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 4]), st.booleans(), st.integers(17, 20))
def test_conv_of_any_window_is_exact(attributes, height: int, width: int, bias: bool, opset: int) -> None:
    net = Net((2, 3, 13, 11))
    y = net.raw_conv(net.x, (6, 3, height, width), bias=bias, **attributes)
    check(net, y, opset=opset)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@few(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.integers(1, 2),
)
def test_auto_pad_is_what_onnx_says(mode: str, kernel, strides, dilation: int) -> None:
    net = Net((1, 4, 12, 9))
    dilations = [dilation, dilation] if mode == "VALID" else [1, 1]  # ONNX Runtime refuses dilation with SAME
    y = net.raw_conv(net.x, (5, 4, *kernel), auto_pad=mode, strides=strides, dilations=dilations)
    check(net, y)


def test_stride_2_of_an_even_size_needs_a_pad_in_tflite() -> None:
    net = Net((2, 3, 10, 10))
    checked = check(net, net.conv(net.x, (4, 3, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1]))
    assert operators(checked.int8_file) == ["PAD", "CONV_2D"]


def test_a_pad_in_front_becomes_the_convs_own() -> None:
    net = Net()
    padded = net.op("Pad", [net.x, net.constant([0, 0, 1, 0, 0, 0, 2, 1], np.int64)])
    checked = check(net, net.conv(padded, (4, 3, 3, 3), pads=[0, 1, 0, 1]))
    assert checked.ops() == ["Conv"]


def test_two_convs_in_a_row_stay_within_four_steps() -> None:
    net = Net()
    x = net.op("Relu", [net.conv(net.x, (8, 3, 3, 3), pads=[1, 1, 1, 1])])
    checked = check(net, net.conv(x, (5, 8, 3, 3)))
    assert operators(checked.int8_file) == ["CONV_2D", "CONV_2D"]


def test_a_dilated_and_strided_window_is_exact() -> None:
    net = Net((2, 3, 15, 14))
    check(net, net.conv(net.x, (4, 3, 3, 3), strides=[2, 1], dilations=[2, 3], pads=[2, 0, 1, 3]))
