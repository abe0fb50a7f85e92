"""Gemm: FULLY_CONNECTED, and the flattened map in front of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .nets import Net, QuantizedNet
from .runtimes import assert_same_floats, assert_same_integers, operators, outside_xnnpack, parsed

sizes = {
    "inputs": st.integers(1, 70),
    "outputs": st.integers(6, 20),
    "batch": st.integers(1, 3),
    "seed": st.integers(0, 99),
}


@settings(max_examples=15, deadline=None)
@given(**sizes)
def test_float_gemm_is_the_same_in_both_runtimes(inputs: int, outputs: int, batch: int, seed: int) -> None:
    net = Net(seed=seed)
    y = net.gemm(net.input("x", (batch, inputs)), outputs, inputs)
    assert_same_floats(net.model(y), net.normal(batch, inputs))


@settings(max_examples=25, deadline=None)
@given(**sizes, zero_points=st.sampled_from([(0, 128), (128, 128), (31, 90)]))
def test_int8_gemm_gives_the_same_integers(
    inputs: int, outputs: int, batch: int, seed: int, zero_points: tuple[int, int]
) -> None:
    net = QuantizedNet(seed=seed)
    y = net.quantized_gemm(net.uint8_input("x", (batch, inputs), zero_points[0]), outputs, inputs, zero_points[1])
    data = assert_same_integers(net.integer_model(y), net.random_integers(batch, inputs))
    assert [(c.builtinCode, c.version) for c in parsed(data).operatorCodes] == [(9, 5)]
    assert not outside_xnnpack(data)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("flatten", ["Flatten", "Reshape", "Reshape with 0"])
@pytest.mark.parametrize("relu", [False, True])
def test_a_flattened_map_permutes_the_weight_and_transposes_nothing(batch: int, flatten: str, relu: bool) -> None:
    net = Net()
    x = net.conv(net.input("x", (batch, 3, 6, 8)), (5, 3, 3, 3))
    if flatten == "Flatten":
        x = net.op("Flatten", [x], axis=1)
    else:
        x = net.ints("Reshape", x, [0 if "0" in flatten else batch, -1])
    if relu:
        x = net.op("Clip", [x, net.constant(-0.5, np.float32), net.constant(2.0, np.float32)])
    y = net.gemm(x, 7, 5 * 4 * 6)
    data = assert_same_floats(net.model(y), net.normal(batch, 3, 6, 8))
    assert "TRANSPOSE" not in operators(data)


def test_a_flattened_int8_map_permutes_the_weight_and_transposes_nothing() -> None:
    net = QuantizedNet()
    x = net.quantized_conv(net.uint8_input("x", (2, 3, 6, 8), 100), (5, 3, 3, 3), 128)
    flat = net.keep("Flatten", x, "flat", axis=1)
    first, second = net.quantized_gemm(flat, 16, 5 * 4 * 6, 128), net.quantized_gemm(flat, 16, 5 * 4 * 6, 128)
    data = assert_same_integers(net.integer_model(first, second), net.random_integers(2, 3, 6, 8))
    assert operators(data) == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED"]


def test_a_flattened_map_that_is_also_an_output_keeps_its_order() -> None:
    net = Net()
    flat = net.op("Flatten", [net.conv(net.input("x", (1, 3, 6, 8)), (5, 3, 3, 3))], axis=1)
    data = assert_same_floats(net.model(net.gemm(flat, 7, 120), flat), net.normal(1, 3, 6, 8))
    assert operators(data).count("TRANSPOSE") == 1


def test_flatten_of_one_position_is_a_plain_reshape() -> None:
    net = Net()
    x = net.op("GlobalAveragePool", [net.conv(net.input("x", (1, 3, 6, 8)), (5, 3, 3, 3))])
    flat = net.op("Flatten", [x], axis=1)
    data = assert_same_floats(net.model(net.gemm(flat, 7, 5), flat), net.normal(1, 3, 6, 8))
    assert operators(data) == ["CONV_2D", "MEAN", "RESHAPE", "FULLY_CONNECTED"]
