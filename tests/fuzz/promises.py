"""What EdgeGAP promises for any network that it takes, checked on one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
from ops.harness import (
    BLOCKED_IN_FLOAT,
    COMPOSED_IN_FLOAT,
    LENGTH_IN_FLOAT,
    NORM_IN_FLOAT,
    QUOTIENT_IN_FLOAT,
    float_arithmetic,
)
from tflite.runtimes import Array, run_onnx, run_tflite, signed, tensors_of

from edgegap.graph.canonical import canonicalize
from edgegap.graph.head import head_of
from edgegap.graph.integer_norm import BLOCKED_DOMAIN
from edgegap.graph.nodes import DOMAIN
from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import Recipe
from edgegap.quantize.verify import grid_of, verify_normal_form
from edgegap.tflite import write_tflite

from .networks import Network

RECIPES = (Recipe("minmax", "", "minmax", False), Recipe("mse", "", "mse", True))
IMAGES = 8
FLOAT_NOISE = 1e-4
"""Of the largest logit. The kernels sum in different orders, and the maps before may be larger than the logits."""


def check(network: Network) -> float:
    """Assert every promise; returns the signal to quantization noise ratio of the int8 logits, in dB.

    It is infinite where the logits hardly depend on the image: there is no signal. Logits below the output's grid count
    as its lower end, which is what the int8 network promises of them.

    1. The canonical model and the float TFLite file give what the original gives.
    2. The heads with a global average are recognized.
    3. The quantization is in normal form and by its own account exact.
    4. ONNX Runtime and LiteRT give the same integers, at every layer that has a tensor of its own.
    5. ONNX Runtime computes nothing in float but Elu, Tanh, Mish, Softplus, Div, GlobalLpPool and LayerNormalization,
       for which it has no integer kernels.
    6. The five largest logits of every image lie on the output's grid, and with min-max all of them.
    """
    original, table = network.model(), network.table()
    images = network.images(IMAGES, 0)
    batches = [{"x": images[k : k + network.batch]} for k in range(0, IMAGES, network.batch)]
    reference = np.concatenate([run_onnx(original, batch)[0] for batch in batches])

    canonical = canonicalize(ir.from_proto(original), network.shape)
    proto, float_file = ir.to_proto(canonical), write_tflite(canonical)
    for batch, expected in zip(batches, np.split(reference, len(batches)), strict=True):
        _assert_close(run_onnx(proto, batch)[0], expected, reference)
        _assert_close(run_tflite(float_file, batch)[0], expected, reference)
    if network.head in ("gap", "gap-linear"):
        assert head_of(canonical) == network.head

    recipe, io = RECIPES[network.seed % 2], ("float", "int8")[network.seed // 2 % 2]
    quantized = quantize(canonical, [images], recipe, table=table, io=io)
    verify_normal_form(quantized.model)
    assert inexact_ops(quantized.model, table) == []
    int8, int8_file = ir.to_proto(quantized.model), write_tflite(quantized.model)
    shared = _integer_values(quantized.model) & set(tensors_of(int8_file))
    grid = grid_of(quantized.model.graph.outputs[0])
    assert grid is not None
    integers = []
    for batch in batches:
        feeds = batch if io == "float" else {"x": quantized.input_grid.quantize(batch["x"])}
        (ours,), (theirs,) = run_onnx(int8, feeds), run_tflite(int8_file, feeds)
        if io == "float":
            ours, theirs = (_integers(y, grid.scale, grid.zero_point) for y in (ours, theirs))
        else:
            ours = signed(ours)
        names = sorted(shared)
        taps = zip(names, run_onnx(int8, feeds, *names), run_tflite(int8_file, feeds, *names), strict=True)
        assert [name for name, one, other in taps if np.any(signed(one) != other)] == [], "a layer differs"
        assert np.count_nonzero(ours != theirs) == 0, "the outputs differ"
        integers.append(ours)
    in_float = {
        **{(DOMAIN, op_type): steps for op_type, steps in COMPOSED_IN_FLOAT.items()},
        (DOMAIN, "Div"): QUOTIENT_IN_FLOAT,
        (DOMAIN, "GlobalLpPool"): LENGTH_IN_FLOAT,
        (DOMAIN, "LayerNormalization"): NORM_IN_FLOAT,
        (BLOCKED_DOMAIN, "LayerNormalization"): BLOCKED_IN_FLOAT,
    }
    expected = Counter(op for node in quantized.model.graph for op in in_float.get((node.domain, node.op_type), ()))
    assert (Counter(float_arithmetic(int8)) - expected).keys() <= {"Elu", "Tanh"}
    kept = np.sort(reference.reshape(IMAGES, -1), axis=1)[:, 0 if recipe.ranges == "minmax" else -5 :]
    assert grid.lo - grid.scale / 2 <= kept.min()
    assert kept.max() <= grid.hi + grid.scale / 2
    return _sqnr(np.maximum(reference, grid.lo), grid.dequantize(np.concatenate(integers).astype(np.int16) + 128))


def _integer_values(model: ir.Model) -> set[str]:
    return {str(y.name) for node in model.graph for y in node.outputs if y.dtype == ir.DataType.UINT8}


def _integers(y: Array, scale: float, zero_point: int) -> Array:
    exact = y.astype(np.float64) / scale + zero_point - 128
    assert np.abs(exact - np.rint(exact)).max() < 1e-3
    return np.rint(exact).astype(np.int8)


def _assert_close(ours: Array, expected: Array, reference: Array) -> None:
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=0, atol=FLOAT_NOISE * np.abs(reference).max())


def _sqnr(reference: Array, ours: Array) -> float:
    if reference.std(axis=0).max() <= 1e-3 * np.abs(reference).max():
        return float("inf")
    return 10 * float(np.log10(reference.var() / np.square(reference - ours).mean()))
