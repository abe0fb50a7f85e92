"""Pools: MAX_POOL_2D, AVERAGE_POOL_2D and MEAN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError

from .nets import Net, QuantizedNet
from .runtimes import assert_same_floats, assert_same_integers, operators, outside_xnnpack, written

windows = st.fixed_dictionaries(
    {
        "kernel_shape": st.lists(st.integers(2, 4), min_size=2, max_size=2),
        "strides": st.lists(st.integers(1, 3), min_size=2, max_size=2),
        "pads": st.lists(st.integers(0, 1), min_size=4, max_size=4),
    }
)
sizes = st.tuples(st.integers(7, 11), st.integers(7, 11))


@settings(max_examples=30, deadline=None)
@given(windows, sizes, st.booleans())
def test_float_max_pool_never_lets_padding_win(window, size: tuple[int, int], has_relu: bool) -> None:
    net = Net()
    x = net.input("x", (2, 5, *size))
    x = net.op("Relu", [x]) if has_relu else x
    # all below zero: padding with zero would win everywhere
    values = -1 - np.abs(net.normal(2, 5, *size)) if not has_relu else net.normal(2, 5, *size)
    assert_same_floats(net.model(net.op("MaxPool", [x], **window)), values)


@settings(max_examples=30, deadline=None)
@given(windows, sizes, st.sampled_from([0, 100, 255]))
def test_int8_max_pool_gives_the_same_integers(window, size: tuple[int, int], zero_point: int) -> None:
    net = QuantizedNet()
    x = net.uint8_input("x", (2, 5, *size), zero_point)
    y = net.keep("MaxPool", x, "pooled", **window)
    net.dequantize(y, "unused")
    model = net.model("pooled", dtype=2)
    assert_same_integers(model, net.random_integers(2, 5, *size) // 3)


@pytest.mark.parametrize(("zero_point", "ops", "outside"), [(0, "PAD", []), (90, "PADV2", ["PADV2"])])
def test_int8_max_pool_pads_with_the_lowest_value(zero_point: int, ops: str, outside: list[str]) -> None:
    net = QuantizedNet()
    x = net.quantized_conv(net.uint8_input("x", (1, 3, 8, 8), 128), (6, 3, 1, 1), zero_point)
    y = net.keep("MaxPool", x, "pooled", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    data = assert_same_integers(net.integer_model(y), net.random_integers(1, 3, 8, 8))
    assert operators(data) == ["CONV_2D", ops, "MAX_POOL_2D"]
    assert sorted(outside_xnnpack(data)) == outside


@pytest.mark.parametrize(
    ("before", "ops"),
    [
        (["Relu"], ["RELU", "PAD", "MAX_POOL_2D"]),
        (["Relu", "MaxPool"], ["RELU", "MAX_POOL_2D", "PAD", "MAX_POOL_2D"]),
        (["Relu", "Concat"], ["RELU", "CONCATENATION", "PAD", "MAX_POOL_2D"]),
        ([], ["PADV2", "MAX_POOL_2D"]),
        (["Clip"], ["MAXIMUM", "MINIMUM", "PADV2", "MAX_POOL_2D"]),
    ],
)
def test_float_max_pool_pads_with_zero_only_behind_what_is_never_negative(before: list[str], ops: list[str]) -> None:
    net = Net()
    x = net.input("x", (1, 3, 8, 8))
    make = {
        "Relu": lambda x: net.op("Relu", [x]),
        "MaxPool": lambda x: net.op("MaxPool", [x], kernel_shape=[1, 1]),
        "Concat": lambda x: net.op("Concat", [x, x], axis=1),
        "Clip": lambda x: net.op("Clip", [x, net.constant(-2.0, np.float32), net.constant(2.0, np.float32)]),
    }
    for op in before:
        x = make[op](x)
    y = net.op("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    assert operators(assert_same_floats(net.model(y), net.normal(1, 3, 8, 8))) == ops


def test_max_pool_with_tensorflows_pads_needs_no_operator_of_its_own() -> None:
    net = Net()
    y = net.op("MaxPool", [net.input("x", (1, 3, 8, 8))], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    assert operators(assert_same_floats(net.model(y), -1 - np.abs(net.normal(1, 3, 8, 8)))) == ["MAX_POOL_2D"]


@settings(max_examples=20, deadline=None)
@given(windows, sizes)
def test_average_pool_counts_its_padding(window, size: tuple[int, int]) -> None:
    net = Net()
    y = net.op("AveragePool", [net.input("x", (2, 5, *size))], count_include_pad=1, **window)
    assert_same_floats(net.model(y), net.normal(2, 5, *size))


def test_average_pool_that_does_not_count_its_padding_is_written_only_where_tflite_has_it() -> None:
    net = Net()
    y = net.op("AveragePool", [net.input("x", (1, 5, 8, 8))], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    assert operators(assert_same_floats(net.model(y), net.normal(1, 5, 8, 8))) == ["AVERAGE_POOL_2D"]
    net = Net()
    y = net.op("AveragePool", [net.input("x", (1, 5, 8, 8))], kernel_shape=[3, 3], pads=[1, 1, 0, 0])
    with pytest.raises(UnsupportedOpError, match="padding"):
        written(net.model(y))


def test_float_global_average_pool_is_a_mean_that_fuses_nothing() -> None:
    net = Net()
    y = net.op("Relu", [net.op("GlobalAveragePool", [net.input("x", (2, 5, 7, 6))])])
    assert operators(assert_same_floats(net.model(y), net.normal(2, 5, 7, 6))) == ["MEAN", "RELU"]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.sampled_from([4, 7, 8, 14]), st.sampled_from([0, 128]))
def test_global_average_pool_at_a_snapped_scale_gives_the_same_integers(seed: int, side: int, zero_point: int) -> None:
    net = QuantizedNet(seed=seed)
    x = net.uint8_input("x", (1, 256, side, side), zero_point)
    area, ratio = side * side, net.rng.uniform(0.1, 0.6)
    m = max(1, int(2000 / (ratio * area)))
    odd = int(ratio * area * m) | 1
    scale = float(net.parameters["x"][0]) * odd / (m * area)
    y = net.arithmetic("GlobalAveragePool", [x], scale, zero_point)
    level = net.rng.integers(0, 256, (1, 256, 1, 1)) + net.rng.normal(0, 30, (1, 256, side, side))
    data = assert_same_integers(net.integer_model(y), level.clip(0, 255).round().astype(np.uint8))
    assert operators(data) == ["MEAN"]
    assert not outside_xnnpack(data)
