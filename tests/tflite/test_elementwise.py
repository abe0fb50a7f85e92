"""Add, Mul, Relu and Clip."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from .nets import Net, QuantizedNet
from .runtimes import assert_same_floats, assert_same_integers, operators, options_of, outside_xnnpack

ACTIVATION = schema.ActivationFunctionType

OTHER_SHAPES = [(2, 5, 4, 6), (1, 5, 1, 1), (2, 1, 4, 6), (1, 1, 1, 1), (5, 1, 1), (4, 6), (6,), (1,), ()]


@pytest.mark.parametrize("op", ["Add", "Mul"])
@pytest.mark.parametrize(
    ("other", "is_constant"), [*((s, True) for s in OTHER_SHAPES), *((s, False) for s in OTHER_SHAPES[:-1])]
)
def test_numpys_broadcasting_survives_nhwc(op: str, other: tuple[int, ...], is_constant: bool) -> None:
    net = Net()
    x = net.input("x", (2, 5, 4, 6))
    values = net.normal(*other)
    y = net.op(op, [net.constant(values) if is_constant else net.input("b", other), x])
    feeds = [net.normal(2, 5, 4, 6), *([] if is_constant else [values])]
    assert_same_floats(net.model(y), *feeds)


def snapped(net: QuantizedNet) -> tuple[float, float, float]:
    """Scales of an Add at which no sum lies near a tie: integers times one base, the output's odd."""
    n, base = 1023 - 2 * int(net.rng.integers(0, 100)), 2e-5
    a, b = (int(v) for v in net.rng.integers(n // 4, n, 2))
    return a * base, b * base, n * base


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.tuples(*[st.sampled_from([0, 128, 90])] * 3))
def test_add_at_snapped_scales_gives_the_same_integers(seed: int, zero_points: tuple[int, int, int]) -> None:
    net = QuantizedNet(seed=seed)
    scales = snapped(net)
    grid = np.arange(256, dtype=np.uint8)
    every_a, every_b = (v.reshape(1, 16, 64, 64) for v in np.meshgrid(grid, grid))
    a = net.uint8_input("a", every_a.shape, zero_points[0], scales[0])
    b = net.uint8_input("b", every_b.shape, zero_points[1], scales[1])
    data = assert_same_integers(
        net.integer_model(net.arithmetic("Add", [a, b], scales[2], zero_points[2])), every_a, every_b
    )
    assert operators(data) == ["ADD"]
    assert not outside_xnnpack(data)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.sampled_from([(2, 16, 8, 8), (1, 16, 1, 1), (2, 1, 8, 8)]))
def test_mul_gives_the_same_integers_also_when_it_broadcasts(seed: int, other: tuple[int, ...]) -> None:
    net = QuantizedNet(seed=seed)
    a, b = net.uint8_input("a", (2, 16, 8, 8), 128), net.uint8_input("b", other, 0, 1 / 256)
    y = net.arithmetic("Mul", [a, b], float(net.parameters["a"][0]) * net.rng.uniform(0.5, 1), 120)
    data = assert_same_integers(net.integer_model(y), net.random_integers(2, 16, 8, 8), net.random_integers(*other))
    assert operators(data) == ["MUL"]
    assert not outside_xnnpack(data)


@pytest.mark.parametrize(("op", "shape"), [("Mul", (1, 16, 1, 1)), ("Mul", (16, 1, 1)), ("Add", (1, 16, 8, 8))])
def test_a_quantized_constant_operand_is_read_with_its_own_scale(op: str, shape: tuple[int, ...]) -> None:
    net = QuantizedNet(seed=4)
    scale_a, scale_b, scale_y = snapped(net)
    x = net.uint8_input("x", (1, 16, 8, 8), 128, scale_a)
    constant = net.dequantized_constant(net.random_integers(*shape), scale_b, 100)
    out = scale_y if op == "Add" else scale_a * scale_b * 100
    y = net.quantize(net.op(op, [net.dequantize(x), constant]), out, 128)
    assert_same_integers(net.integer_model(y), net.random_integers(1, 16, 8, 8))


def bounds(net: Net, low: float | None, high: float | None) -> list[str]:
    return ["" if v is None else net.constant(v, np.float32) for v in (low, high)]


FUSED = [
    ("Relu", ACTIVATION.RELU),
    ((0.0, 6.0), ACTIVATION.RELU6),
    ((-1.0, 1.0), ACTIVATION.RELU_N1_TO_1),
    ((0.0, None), ACTIVATION.RELU),
]


@pytest.mark.parametrize(("activation", "fused"), FUSED)
@pytest.mark.parametrize("builtin", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MUL"])
def test_an_activation_that_tflite_knows_is_fused(activation, fused: int, builtin: str) -> None:
    net = Net()
    shape = (3, 20) if builtin == "FULLY_CONNECTED" else (1, 4, 6, 6)
    x = net.input("x", shape)
    y = {
        "CONV_2D": lambda: net.conv(x, (5, 4, 3, 3)),
        "DEPTHWISE_CONV_2D": lambda: net.conv(x, (4, 1, 3, 3), group=4),
        "FULLY_CONNECTED": lambda: net.gemm(x, 9, 20),
        "ADD": lambda: net.op("Add", [x, x]),
        "MUL": lambda: net.op("Mul", [x, x]),
    }[builtin]()
    z = net.op("Relu", [y]) if activation == "Relu" else net.op("Clip", [y, *bounds(net, *activation)])
    data = assert_same_floats(net.model(z), net.normal(*shape) * 3)
    assert operators(data) == [builtin]
    assert options_of(data, builtin).fusedActivationFunction == fused


def test_an_activation_is_not_fused_when_the_value_before_it_is_read_elsewhere() -> None:
    net = Net()
    y = net.conv(net.input("x", (1, 4, 6, 6)), (4, 4, 3, 3), pads=[1, 1, 1, 1])
    z = net.op("Add", [net.op("Relu", [y]), y])
    assert operators(assert_same_floats(net.model(z), net.normal(1, 4, 6, 6))) == ["CONV_2D", "RELU", "ADD"]
    net = Net()
    y = net.conv(net.input("x", (1, 4, 6, 6)), (4, 4, 3, 3))
    data = assert_same_floats(net.model(net.op("Relu", [y]), y), net.normal(1, 4, 6, 6))
    assert operators(data) == ["CONV_2D", "RELU"]


@pytest.mark.parametrize(
    ("low", "high", "ops"),
    [
        (0.0, 6.0, ["RELU6"]),
        (0.0, None, ["RELU"]),
        (-1.0, 1.0, ["MAXIMUM", "MINIMUM"]),
        (-0.25, 0.75, ["MAXIMUM", "MINIMUM"]),
        (None, 0.5, ["MINIMUM"]),
        (0.5, None, ["MAXIMUM"]),
        (0.0, float("inf"), ["RELU"]),
        (None, None, ["RESHAPE"]),
    ],
)
def test_a_clip_on_its_own_keeps_its_limits(low: float | None, high: float | None, ops: list[str]) -> None:
    net = Net()
    y = net.op("Clip", [net.input("x", (1, 4, 6, 5)), *bounds(net, low, high)])
    data = assert_same_floats(net.model(y), net.normal(1, 4, 6, 5) * 4)
    assert operators(data) == ops
