"""LayerNormalization over the channels, as integers and exact float arithmetic. Bound: 0; 1 where no sum is exact.

It divides by the deviation of a position, which may be small against the whole map's: a step of what comes in may be
several of the result's, so that `lsb` says how many here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import strategies as st
from tflite.runtimes import run_onnx, run_tflite, signed

from edgegap.errors import UnsupportedOpError
from edgegap.graph.canonical import canonicalize
from edgegap.graph.integer_norm import (
    blocks_of,
    integer_norm,
    integer_norm_attributes,
    integer_norm_domain,
    integer_norm_is_exact,
)
from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.parameters import Grid
from edgegap.tflite import write_tflite

from .harness import LSB, NORM_IN_FLOAT, Array, Net, check
from .seeded import few, many

STEEP = 4 * LSB


def normed(
    net: Net, x: str, channels: int, *, is_plain: bool = False, has_bias: bool = True, epsilon: float = 1e-5
) -> str:
    scale = np.ones(channels, np.float32) if is_plain else net.rng.uniform(0.5, 1.5, channels).astype(np.float32)
    parameters = [scale, *([net.normal(channels)] if has_bias else [])]
    last = net.op("Transpose", [x], perm=[0, 2, 3, 1])
    y = net.op("LayerNormalization", [last, *map(net.constant, parameters)], axis=-1, epsilon=epsilon)
    return net.op("Transpose", [y], perm=[0, 3, 1, 2])


@few(st.integers(12, 48), st.booleans(), st.booleans(), st.integers(0, 99))
def test_of_maps_it_is_exact(channels: int, is_plain: bool, has_bias: bool, seed: int) -> None:
    net = Net((2, 3, 9, 8), seed=seed)
    x = net.signed_map(channels)
    y = normed(net, x, channels, is_plain=is_plain, has_bias=has_bias)
    check(net, y, lsb=STEEP, of=[x], in_float=NORM_IN_FLOAT, least_values=2)


def test_its_scale_and_bias_fold_into_the_conv_behind_it() -> None:
    net = Net()
    y = net.conv(normed(net, net.signed_map(24), 24), (5, 24, 2, 2), strides=[2, 2])
    assert check(net, y, lsb=STEEP, in_float=NORM_IN_FLOAT).ops() == [
        "Conv", "Transpose", "LayerNormalization", "Transpose", "Conv",
    ]  # fmt: skip


def test_between_them_they_are_a_conv_where_the_conv_behind_pads() -> None:
    net = Net()
    y = net.conv(normed(net, net.signed_map(24), 24), (5, 24, 3, 3), pads=[1, 1, 1, 1])
    assert Counter(check(net, y, lsb=STEEP, in_float=NORM_IN_FLOAT).ops())["Conv"] == 3


def test_of_a_vector_it_is_exact_and_folds_into_the_gemm_behind_it() -> None:
    net = Net()
    vector = net.op("Flatten", [net.op("GlobalAveragePool", [net.signed_map(40)])])
    parameters = map(net.constant, (net.rng.uniform(0.5, 1.5, 40).astype(np.float32), net.normal(40)))
    y = net.gemm(net.op("LayerNormalization", [vector, *parameters]), 7, 40)
    checked = check(net, y, lsb=STEEP, of=[vector], in_float=NORM_IN_FLOAT)
    assert checked.ops() == ["Conv", "GlobalAveragePool", "Flatten", "LayerNormalization", "Gemm"]


def test_a_block_of_convnext_is_exact_without_a_transpose_in_tflite() -> None:
    net = Net()
    x = net.signed_map(8)
    y = net.op("Transpose", [normed(net, net.conv(x, (8, 1, 3, 3), group=8, pads=[1, 1, 1, 1]), 8)], perm=[0, 2, 3, 1])
    y = net.op("MatMul", [y, net.constant(net.normal(8, 16))])
    y = net.op("Relu", [net.op("Add", [y, net.constant(net.normal(16))])])
    y = net.op("MatMul", [y, net.constant(net.normal(16, 8))])
    y = net.op("Add", [x, net.op("Transpose", [y], perm=[0, 3, 1, 2])])
    checked = check(net, y, lsb=STEEP, in_float=NORM_IN_FLOAT)
    assert Counter(checked.ops()) == Counter(Conv=4, Transpose=2, LayerNormalization=1, Relu=1, Add=1)


def spelled(attributes: Mapping[str, Any]) -> str:
    """In ONNX's text syntax."""
    kinds = {name: "ints" if isinstance(value, list) else "float" for name, value in attributes.items()}
    return ", ".join(f"{name}: {kinds[name]} = {value!r}" for name, value in attributes.items())


def alone(integers: Array, source: Grid, result: Grid, epsilon: float) -> ir.Model:
    """A QDQ model of uint8 [n, C] that holds nothing but a LayerNormalization."""
    x = ir.val("x", dtype=ir.DataType.FLOAT, shape=ir.Shape(integers.shape))
    node = ir.node("LayerNormalization", [x], attributes={"epsilon": epsilon})
    attributes = integer_norm_attributes(node, source.scale, result.scale)
    domain = integer_norm_domain(integers.shape[-1])
    shape = ",".join(map(str, integers.shape))
    text = f"""<ir_version: 8, opset_import: ["": 18, "{domain}": 1]> net (uint8[{shape}] q) => (uint8[{shape}] y)
        <float s = {{{source.scale!r}}}, uint8 z = {{{source.zero_point}}},
         float t = {{{result.scale!r}}}, uint8 o = {{{result.zero_point}}}> {{
        x = DequantizeLinear (q, s, z)
        n = {domain}.LayerNormalization <{spelled(attributes)}> (x)
        y = QuantizeLinear (n, t, o) }}"""
    model = ir.from_proto(onnx.parser.parse_model(text))
    model.functions[(domain, "LayerNormalization", "")] = integer_norm(domain)
    for written in model.graph:
        for value in written.outputs:
            value.shape = ir.Shape(integers.shape)
    return model


def rows(kind: str, channels: int, seed: int) -> Array:
    """uint8 [4, channels]."""
    rng = np.random.default_rng(seed)
    return {
        "any": lambda: rng.integers(0, 256, (4, channels)),
        "ends": lambda: rng.choice([0, 255], (4, channels)),
        "alike": lambda: np.full((4, channels), rng.integers(0, 256)),
        "one apart": lambda: 200 + (np.arange(channels) == rng.integers(channels)) + np.zeros((4, 1), int),
        "far": lambda: np.where(np.arange(channels) < 1 + channels // 9, 255, rng.integers(0, 3, (4, channels))),
        "alternating": lambda: np.resize([0, 255, 0, 255, 254], (4, channels)),
    }[kind]().astype(np.uint8)


KINDS = st.sampled_from(["any", "ends", "alike", "one apart", "far", "alternating"])
EPSILONS = st.sampled_from([0.0, 1e-6, 1e-5, 1e-3])


def assert_alike(integers: Array, exponent: float, zero: int, epsilon: float) -> None:
    source, result = Grid(float(np.float32(2**exponent)), zero), Grid(float(np.float32(0.037)), 128)
    model = alone(integers, source, result, epsilon)
    (ours,), (theirs,) = run_onnx(ir.to_proto(model), {"q": integers}), run_tflite(write_tflite(model), {"q": integers})
    assert np.array_equal(signed(ours), theirs)


@many(st.integers(1, 1032), KINDS, st.floats(-12, 4), st.integers(0, 255), EPSILONS, st.integers(0, 99))
def test_no_integers_part_the_runtimes(
    channels: int, kind: str, exponent: float, zero: int, epsilon: float, seed: int
) -> None:
    assert_alike(rows(kind, channels, seed), exponent, zero, epsilon)


MANY = st.one_of(
    st.integers(1033, 4096),
    st.sampled_from([25_088, 65_793, 100_352, 7 * 25_600]),
    st.builds(lambda a, b: a * b, st.integers(10, 1000), st.integers(100, 258)),
)


@many(MANY, KINDS, st.floats(-12, 4), st.integers(0, 255), EPSILONS, st.integers(0, 99))
def test_nor_do_those_of_many_channels(
    channels: int, kind: str, exponent: float, zero: int, epsilon: float, seed: int
) -> None:
    assert integer_norm_is_exact(channels)
    assert_alike(rows(kind, channels, seed), exponent, zero, epsilon)


@pytest.mark.parametrize("channels", [96, 25_088])
@pytest.mark.parametrize("deviation", [0.5, 2, 8, 32, 100])
def test_its_integers_are_those_of_the_real_numbers(deviation: float, channels: int) -> None:
    """But where those lie within float32 noise of a tie: 1e-4 steps is 1e-6 of the grid."""
    rng = np.random.default_rng(0)
    integers = np.clip(np.rint(rng.normal(128, deviation, (64, channels))), 0, 255).astype(np.uint8)
    source, result, epsilon = Grid(float(np.float32(0.04)), 100), Grid(float(np.float32(0.03)), 128), 1e-6
    x = source.dequantize(integers)
    y = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
    (ours,) = run_onnx(ir.to_proto(alone(integers, source, result, epsilon)), {"q": integers})
    exact = y / result.scale + result.zero_point
    inside = np.clip(exact, 0, 255)
    assert np.abs(ours - inside).max() < 0.5 + 1e-4


@pytest.mark.parametrize("blocks", [(1033, 1), (8, 256), (4096, 258)])
def test_the_sums_of_blocks_are_exact(blocks: tuple[int, int]) -> None:
    """Whatever the integers are: of n, of c and of its squares, all of which float32 must hold in every order."""
    count, size = blocks
    assert blocks_of(count * size) == blocks
    largest = 255**2 * size
    assert largest < 2**24
    assert count * max(largest // 4096, 4095) < 2**24


def test_where_channels_have_no_blocks_it_is_bounded() -> None:
    assert blocks_of(1032) is None
    assert blocks_of(1033) is not None
    prime = 4099
    for channels, lsb in ((1032, []), (1033, []), (4096, []), (prime, [1]), (257 * 7, []), (prime * 257, [1])):
        assert integer_norm_is_exact(channels) == (not lsb)
        model = alone(np.zeros((1, channels), np.uint8), Grid(1.0, 0), Grid(1.0, 0), 0.0)
        assert [op.lsb for op in inexact_ops(model, None)] == lsb


@pytest.mark.parametrize("axis", [1, 2, -2])
def test_over_other_axes_it_is_refused(axis: int) -> None:
    net = Net()
    sizes = {1: (4, 9, 8), 2: (9, 8), -2: (9, 8)}[axis]
    y = net.op("LayerNormalization", [net.signed_map(4), net.constant(np.ones(sizes, np.float32))], axis=axis)
    with pytest.raises(UnsupportedOpError, match=r"it normalizes the axes from -?\d on of \[2, 4, 9, 8\]") as raised:
        canonicalize(ir.from_proto(net.in_opset(y, 18)), net.shape)
    assert "BatchNorm" in str(raised.value.hint)
