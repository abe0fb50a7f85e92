"""A function of one value between any two grids that keep it off ties: every integer comes out alike in both."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from tflite.runtimes import run_onnx, run_tflite, signed

from edgegap.graph.composed import COMPOSED, composed
from edgegap.graph.nodes import DOMAIN
from edgegap.graph.shapes import infer_shapes
from edgegap.quantize.functions import FUNCTIONS, PRESCRIBED, tie_distance
from edgegap.quantize.parameters import Grid, affine_grid
from edgegap.quantize.ties import off_ties
from edgegap.tflite import write_tflite

from .seeded import many

EVERY = np.arange(256, dtype=np.uint8)[None]


def alone(op: str, source: Grid, result: Grid) -> ir.Model:
    """A QDQ model of uint8 [1, 256] that holds nothing but the function."""
    name = f"{DOMAIN}.{op}" if op in COMPOSED else op
    model = ir.from_proto(
        onnx.parser.parse_model(f"""
        <ir_version: 8, opset_import: ["": 20, "{DOMAIN}": 1]> net (uint8[1, 256] q) => (uint8[1, 256] y)
        <float s = {{{source.scale!r}}}, uint8 z = {{{source.zero_point}}},
         float t = {{{result.scale!r}}}, uint8 o = {{{result.zero_point}}}> {{
            x = DequantizeLinear (q, s, z)
            f = {name} (x)
            y = QuantizeLinear (f, t, o) }}""")
    )
    if op in COMPOSED:
        model.functions[(DOMAIN, op, "")] = composed(op)
    infer_shapes(model)
    return model


@pytest.mark.parametrize("op", FUNCTIONS)
@many(st.floats(-30, 0), st.floats(0.01, 30), st.floats(0.2, 1))
def test_off_ties_both_runtimes_give_the_same_integer(op: str, lo: float, hi: float, share: float) -> None:
    """Where only a share of what it gives lies on the grid, the rest saturates."""
    function, ends = FUNCTIONS[op], affine_grid(lo, hi)
    values = function(ends.dequantize(np.arange(256)))
    result = PRESCRIBED.get(op, affine_grid(float(values.min()) * share, float(values.max()) * share))
    source = off_ties(ends.scale, ends.lo, lambda grid: tie_distance(function, grid, result))
    assume(source is not None)
    assert source is not None
    model = alone(op, source, result)
    (ours,) = run_onnx(ir.to_proto(model), {"q": EVERY})
    (theirs,) = run_tflite(write_tflite(model), {"q": EVERY})
    assert np.count_nonzero(signed(ours) != theirs) == 0
    np.testing.assert_array_equal(ours[0], result.quantize(function(source.dequantize(np.arange(256)))))
