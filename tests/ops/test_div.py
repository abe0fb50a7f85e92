"""Div of two activations, the second never negative. Bound: 0."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import strategies as st
from tflite.runtimes import run_onnx, run_tflite, signed

from edgegap.errors import UnsupportedOpError
from edgegap.graph.canonical import canonicalize
from edgegap.graph.integer_quotient import integer_quotient, integer_quotient_attributes
from edgegap.graph.nodes import DOMAIN
from edgegap.quantize.parameters import Grid
from edgegap.quantize.quantize import quantize
from edgegap.tflite import write_tflite

from .harness import LENGTH_IN_FLOAT, LSB, QUOTIENT_IN_FLOAT, RECIPE, Array, Net, check
from .seeded import few, many


@few(st.integers(1, 12), st.sampled_from(["alike", "per channel", "per position"]), st.integers(0, 99))
def test_by_a_gate_it_is_exact(channels: int, kind: str, seed: int) -> None:
    net = Net((2, 3, 9, 8), seed=seed)
    x = net.signed_map(channels)
    by = net.signed_map(1 if kind == "per position" else channels)
    by = net.op("Sigmoid", [net.op("GlobalAveragePool", [by]) if kind == "per channel" else by])
    y = net.op("Div", [x, net.op("Add", [by, net.constant(np.array(0.5, np.float32))])])
    checked = check(net, y, lsb=2 * LSB, of=[x], in_float=QUOTIENT_IN_FLOAT)
    assert checked.ops().count("Div") == 1


def grn(net: Net, x: str, channels: int, *, is_last: bool) -> str:
    """Global response normalization (Woo et al., 2023, arXiv:2301.00808, algorithm 1), as timm spells it."""
    spatial, axis = ([1, 2], 3) if is_last else ([2, 3], 1)
    shape = (channels,) if is_last else (1, channels, 1, 1)
    length = net.op("ReduceL2", [x, net.constant(np.array(spatial))], keepdims=1)
    mean = net.op("ReduceMean", [length, net.constant(np.array([axis]))], keepdims=1)
    share = net.op("Div", [length, net.op("Add", [mean, net.constant(np.array(1e-6, np.float32))])])
    scaled = net.op("Mul", [net.constant(net.normal(*shape)), net.op("Mul", [x, share])])
    return net.op("Add", [x, net.op("Add", [net.constant(net.normal(*shape)), scaled])])


@pytest.mark.parametrize("is_last", [False, True])
def test_global_response_normalization_is_exact(is_last: bool) -> None:
    net, channels = Net(), 8
    x = net.op("Relu", [net.signed_map(channels)])
    if is_last:
        last = net.op("Transpose", [x], perm=[0, 2, 3, 1])
        y = net.op("Transpose", [grn(net, last, channels, is_last=True)], perm=[0, 3, 1, 2])
    else:
        y = grn(net, x, channels, is_last=False)
    in_float = sorted((*LENGTH_IN_FLOAT, *QUOTIENT_IN_FLOAT))
    checked = check(net, y, lsb=2 * LSB, in_float=in_float)
    assert "Transpose" not in checked.ops()


def test_by_what_was_negative_it_is_refused() -> None:
    net = Net()
    y = net.op("Div", [net.signed_map(4), net.signed_map(4)])
    canonical = canonicalize(ir.from_proto(net.in_opset(y, 18)), net.shape)
    images = net.rng.normal(size=net.shape).astype(np.float32)
    with pytest.raises(UnsupportedOpError, match="it divides by values from -"):
        quantize(canonical, [images], RECIPE, table=net.pixel_table(), io="int8")


def test_of_a_constant_it_is_refused() -> None:
    net = Net()
    y = net.op("Div", [net.constant(net.normal(1, 4, 1, 1)), net.op("Sigmoid", [net.signed_map(4)])])
    with pytest.raises(UnsupportedOpError, match="it divides a constant"):
        canonicalize(ir.from_proto(net.in_opset(y, 18)), net.shape)


def every_pair(zero: int, source: float, divisor: float, result: Grid) -> ir.Model:
    """A QDQ model of uint8 a [256, 1] and b [256, 256] that holds nothing but a Div."""
    attributes = integer_quotient_attributes(divisor, result.scale)
    spelled = ", ".join(f"{name}: float = {value!r}" for name, value in attributes.items())
    text = f"""<ir_version: 8, opset_import: ["": 18, "{DOMAIN}": 1]>
        net (uint8[256, 1] q, uint8[256, 256] p) => (uint8[256, 256] y)
        <float s = {{{source!r}}}, uint8 z = {{{zero}}}, float v = {{{divisor!r}}}, uint8 none = {{0}},
         float t = {{{result.scale!r}}}, uint8 o = {{{result.zero_point}}}> {{
        a = DequantizeLinear (q, s, z)
        b = DequantizeLinear (p, v, none)
        n = {DOMAIN}.Div <{spelled}> (a, b)
        y = QuantizeLinear (n, t, o) }}"""
    model = ir.from_proto(onnx.parser.parse_model(text))
    model.functions[(DOMAIN, "Div", "")] = integer_quotient()
    for written, shape in zip(model.graph, ((256, 1), (256, 256), (256, 256), (256, 256)), strict=True):
        written.outputs[0].shape = ir.Shape(shape)
    return model


@many(st.integers(0, 255), st.floats(-8, 4), st.floats(-8, 4), st.floats(-10, 10))
def test_no_two_integers_part_the_runtimes(zero: int, source: float, divisor: float, result: float) -> None:
    steps = [float(np.float32(2**exponent)) for exponent in (source, divisor, result)]
    grid = Grid(steps[2], 128)
    model = every_pair(zero, steps[0], steps[1], grid)
    a, b = np.arange(256, dtype=np.uint8)[:, None], np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    feeds: dict[str, Array] = {"q": a, "p": b}
    (ours,), (theirs,) = run_onnx(ir.to_proto(model), feeds), run_tflite(write_tflite(model), feeds)
    assert np.array_equal(signed(ours), theirs)
    real = (a.astype(np.float64) - zero) * steps[0] / (np.maximum(b, 1) * steps[1])
    assert np.abs(ours - np.clip(real / grid.scale + 128, 0, 255)).max() <= 0.5 + 255 * 1e-5
