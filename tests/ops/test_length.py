"""GlobalLpPool, the Euclidean length of each channel's map. Bound: 0; 1 where a map is wider than 258."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import strategies as st
from tflite.runtimes import run_onnx, run_tflite, signed

from edgegap.errors import UnsupportedOpError
from edgegap.graph.canonical import canonicalize
from edgegap.graph.integer_length import integer_length, integer_length_attributes, integer_length_is_exact
from edgegap.graph.nodes import DOMAIN
from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.parameters import Grid
from edgegap.quantize.quantize import quantize
from edgegap.tflite import write_tflite

from .harness import LENGTH_IN_FLOAT, RECIPE, Array, Net, check
from .seeded import few, many


@few(st.integers(1, 12), st.booleans(), st.integers(0, 99))
def test_of_maps_it_is_exact(channels: int, keeps: bool, seed: int) -> None:
    net = Net((2, 3, 9, 8), seed=seed)
    x = net.signed_map(channels)
    y = net.op("ReduceL2", [x, net.constant(np.array([2, 3]))], keepdims=int(keeps))
    checked = check(net, y, of=[x], in_float=LENGTH_IN_FLOAT, least_values=2)
    assert "GlobalLpPool" in checked.ops()


def test_over_the_map_of_a_transposed_value_it_is_one_too() -> None:
    net = Net()
    last = net.op("Transpose", [net.signed_map(8)], perm=[0, 2, 3, 1])
    y = net.op("ReduceL2", [last, net.constant(np.array([1, 2]))], keepdims=1)
    assert check(net, y, in_float=LENGTH_IN_FLOAT).ops() == ["Conv", "GlobalLpPool", "Transpose"]


def test_other_lengths_are_refused() -> None:
    net = Net()
    y = net.op("GlobalLpPool", [net.signed_map(4)], p=1)
    with pytest.raises(UnsupportedOpError, match="its p is 1"):
        canonicalize(ir.from_proto(net.in_opset(y, 18)), net.shape)


def alone(integers: Array, source: Grid, result: Grid) -> ir.Model:
    """A QDQ model of uint8 [N, C, H, W] that holds nothing but a GlobalLpPool."""
    attributes = integer_length_attributes(source.scale, result.scale)
    spelled = ", ".join(f"{name}: float = {value!r}" for name, value in attributes.items())
    shape, pooled = integers.shape, (*integers.shape[:2], 1, 1)
    text = f"""<ir_version: 8, opset_import: ["": 18, "{DOMAIN}": 1]>
        net (uint8[{",".join(map(str, shape))}] q) => (uint8[{",".join(map(str, pooled))}] y)
        <float s = {{{source.scale!r}}}, uint8 z = {{{source.zero_point}}},
         float t = {{{result.scale!r}}}, uint8 o = {{{result.zero_point}}}> {{
        x = DequantizeLinear (q, s, z)
        n = {DOMAIN}.GlobalLpPool <{spelled}> (x)
        y = QuantizeLinear (n, t, o) }}"""
    model = ir.from_proto(onnx.parser.parse_model(text))
    model.functions[(DOMAIN, "GlobalLpPool", "")] = integer_length()
    for written, size in zip(model.graph, (shape, pooled, pooled), strict=True):
        written.outputs[0].shape = ir.Shape(size)
    return model


def maps(kind: str, shape: tuple[int, int, int], seed: int) -> Array:
    """uint8 [1, C, H, W]."""
    rng = np.random.default_rng(seed)
    full = (1, *shape)
    return {
        "any": lambda: rng.integers(0, 256, full),
        "ends": lambda: rng.choice([0, 255], full),
        "largest": lambda: np.full(full, 255),
        "one": lambda: np.arange(np.prod(full)).reshape(full) == rng.integers(np.prod(full)),
        "blank": lambda: np.zeros(full),
    }[kind]().astype(np.uint8)


KINDS = st.sampled_from(["any", "ends", "largest", "one", "blank"])
SIZES = st.tuples(st.integers(1, 6), st.integers(1, 40), st.one_of(st.integers(1, 40), st.integers(250, 258)))


@many(SIZES, KINDS, st.floats(-12, 4), st.integers(0, 255), st.floats(0.3, 4), st.integers(0, 99))
def test_no_integers_part_the_runtimes(
    shape: tuple[int, int, int], kind: str, exponent: float, zero: int, span: float, seed: int
) -> None:
    integers, source = maps(kind, shape, seed), Grid(float(np.float32(2**exponent)), zero)
    lengths = np.sqrt((source.dequantize(integers).astype(np.float64) ** 2).sum((2, 3), keepdims=True))
    result = Grid(float(np.float32(max(float(lengths.max()), source.scale) / 255 * span)), 0)
    model = alone(integers, source, result)
    (ours,), (theirs,) = run_onnx(ir.to_proto(model), {"q": integers}), run_tflite(write_tflite(model), {"q": integers})
    assert np.array_equal(signed(ours), theirs)
    wanted = np.minimum(lengths / result.scale, 255).reshape(ours.shape)  # theirs are NHWC
    assert np.abs(ours - wanted).max() <= 0.5 + 255 * 1e-5  # rounding, and float32's own


@pytest.mark.parametrize(("height", "width", "exact"), [(4, 258, True), (4, 259, False)])
def test_a_wider_map_is_bounded(height: int, width: int, exact: bool) -> None:
    net = Net((1, 3, height, width))
    y = net.op("ReduceL2", [net.signed_map(2), net.constant(np.array([2, 3]))], keepdims=1)
    canonical = canonicalize(ir.from_proto(net.in_opset(y, 18)), net.shape)
    images = net.rng.normal(size=net.shape).astype(np.float32)
    model = quantize(canonical, [images], RECIPE, table=net.pixel_table(), io="int8").model
    node = next(node for node in model.graph if node.op_type == "GlobalLpPool")
    assert integer_length_is_exact(node) == exact
    assert [op.lsb for op in inexact_ops(model, net.pixel_table()) if "GlobalLpPool" in op.where] == [1] * (not exact)
