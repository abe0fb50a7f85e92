"""The rules that make both runtimes give the same integers, over all integers that there are, each with its control."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from tflite.nets import QuantizedNet
from tflite.runtimes import outside_xnnpack, run_onnx, run_tflite, signed, written

from edgegap.quantize.snap import ADD_LIMIT, AddGroup, add_is_tie_free, ratio_is_tie_free, snap_ratio

Array = NDArray[Any]

PAIRS = np.indices((256, 256), np.uint8)[:, None, :, :, None].reshape(2, 1, 256, 16, 16)
"""All pairs of integers, as two maps."""


def differing(model: onnx.ModelProto, **feeds: Array) -> int:
    """How many output integers differ between ONNX Runtime and LiteRT, all of whose ops XNNPACK takes."""
    data = written(model)
    assert not outside_xnnpack(data)
    (ours,), (theirs,) = run_onnx(model, feeds), run_tflite(data, feeds)
    assert len(np.unique(ours)) > 4
    return int(np.count_nonzero(signed(ours) != theirs))


def of_pairs(op: str, scales: tuple[float, float, float], zero_points: tuple[int, int, int] = (128, 117, 131)) -> int:
    net = QuantizedNet()
    xs = [net.uint8_input(name, PAIRS[0].shape, z, s) for name, z, s in zip("ab", zero_points, scales, strict=False)]
    model = net.integer_model(net.arithmetic(op, xs, scales[2], zero_points[2]))
    return differing(model, a=PAIRS[0], b=PAIRS[1])


def snapped(a: float, b: float, y: float) -> tuple[float, float, float]:
    scales = AddGroup({"a": a, "b": b, "y": y}, {"y"}).snapped()
    return scales["a"], scales["b"], scales["y"]


@pytest.mark.parametrize("zero_points", [(0, 0, 0), (128, 117, 131), (255, 3, 90)])
@pytest.mark.parametrize("wanted", [(0.02, 0.02, 0.02), (0.02, 0.013, 0.027), (0.05, 0.004, 0.05), (0.003, 0.3, 0.2)])
def test_all_sums_at_snapped_scales_are_the_same(wanted, zero_points) -> None:
    scales = snapped(*wanted)
    assert add_is_tie_free(*scales)
    assert of_pairs("Add", scales, zero_points) == 0


@pytest.mark.parametrize(
    "steps",
    [(1, ADD_LIMIT, ADD_LIMIT), (ADD_LIMIT, 1, ADD_LIMIT), (ADD_LIMIT - 1, 511, ADD_LIMIT), (1021, 7, 5), (2, 4, 3)],
)
def test_all_sums_at_the_ends_of_the_rule_are_the_same(steps: tuple[int, int, int]) -> None:
    a, b, y = (float(np.float32(n * 2.0**-13)) for n in steps)
    assert add_is_tie_free(a, b, y)
    assert of_pairs("Add", (a, b, y)) == 0


@pytest.mark.parametrize("scales", [(0.02, 0.02, 0.04), (0.02, 0.06, 0.04), (0.02, 0.02, 0.2)])
def test_sums_at_scales_that_allow_ties_part(scales: tuple[float, float, float]) -> None:
    assert not add_is_tie_free(*scales)
    assert of_pairs("Add", scales) > 200


@pytest.mark.parametrize("wanted", [0.0003, 0.001, 0.0125, 0.02])
@pytest.mark.parametrize("operands", [(0.02, 0.02), (0.0213, 0.037)])
def test_all_products_at_snapped_scales_are_the_same(operands: tuple[float, float], wanted: float) -> None:
    scale = snap_ratio(np.prod(operands), wanted)
    assert ratio_is_tie_free(np.prod(operands), scale)
    assert of_pairs("Mul", (*operands, scale)) == 0


def test_products_at_a_ratio_of_one_half_part() -> None:
    assert not ratio_is_tie_free(1 / 16, 1 / 8)
    assert of_pairs("Mul", (1 / 4, 1 / 4, 1 / 8)) > 200


def average(height: int, width: int, scale_in: float, scale_out: float) -> int:
    channels = min(4096, 2**22 // (height * width))
    net = QuantizedNet(seed=height * 100 + width)
    x = net.uint8_input("x", (1, channels, height, width), 121, scale_in)
    model = net.integer_model(net.arithmetic("GlobalAveragePool", [x], scale_out, 119))
    # maps of different means, so that the averages take many values
    means = net.rng.integers(0, 256, (1, channels, 1, 1)) + net.rng.integers(-90, 91, (1, channels, height, width))
    return differing(model, x=np.clip(means, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (2, 2), (4, 4), (7, 7), (8, 8), (5, 9), (13, 13), (16, 16), (3, 1), (56, 56)],
)
@pytest.mark.parametrize("shrinks_by", [1.0, 1.37, 4.2])
def test_averages_at_a_snapped_scale_are_the_same(height: int, width: int, shrinks_by: float) -> None:
    scale = snap_ratio(0.0237 / (height * width), 0.0237 / shrinks_by)
    assert ratio_is_tie_free(0.0237 / (height * width), scale)
    assert average(height, width, 0.0237, scale) == 0


def test_averages_at_the_scale_of_their_maps_part() -> None:
    """8 x 8: a sum of 32 more than a multiple of 64 is a tie."""
    assert not ratio_is_tie_free(0.0237 / 64, 0.0237)
    assert average(8, 8, 0.0237, 0.0237) > 10


def depthwise_of_ones(x: Array, kernel: int, weight_scale: Array, scale_in: float, scale_out: float) -> int:
    net = QuantizedNet()
    channels = x.shape[1]
    zeros = np.zeros(channels)
    inputs = [
        net.dequantize(net.uint8_input("x", x.shape, 101, scale_in)),
        net.dequantized_constant(np.full((channels, 1, kernel, kernel), 127, np.int8), weight_scale, zeros, axis=0),
        net.dequantized_constant(np.zeros(channels, np.int32), np.float32(scale_in) * weight_scale, zeros, axis=0),
    ]
    y = net.op(
        "Conv",
        inputs,
        kernel_shape=[kernel] * 2,
        strides=[kernel] * 2,
        dilations=[1, 1],
        pads=[0] * 4,
        group=channels,
    )
    return differing(net.integer_model(net.quantize(y, scale_out, 97)), x=x)


@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("scale_out", [0.02, 0.0137, 0.0081])
def test_averages_as_depthwise_convolutions_are_the_same(kernel: int, scale_out: float) -> None:
    rng = np.random.default_rng(kernel)
    x = rng.integers(0, 256, (1, 64, 40 * kernel, 40 * kernel)).astype(np.uint8)
    weight_scale = np.full(64, 1 / (127 * kernel**2), np.float32)
    assert depthwise_of_ones(x, kernel, weight_scale, 0.02, scale_out) == 0


def test_all_integers_are_requantized_alike_at_a_thousand_pairs_of_scales() -> None:
    """A channel for each ratio of scales: exact ratios such as 1/2, which make ties, among them."""
    rng = np.random.default_rng(0)
    ratios = np.concatenate([np.exp(rng.uniform(-3, 3, 1000)), 1 / np.arange(1, 13), np.arange(2, 8) / 2])
    x = np.broadcast_to(np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16), (1, len(ratios), 16, 16))
    assert depthwise_of_ones(x.copy(), 1, (ratios / 127).astype(np.float32), 0.02, 0.02) == 0


def test_an_average_of_more_positions_than_the_rule_reaches_is_not_called_exact() -> None:
    scale = snap_ratio(0.0237 / 112**2, 0.0237)
    assert not ratio_is_tie_free(0.0237 / 112**2, scale)
