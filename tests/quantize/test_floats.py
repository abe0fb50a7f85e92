"""Layers that stay in float: up to the first of them both runtimes give the same integers, behind it float noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import strategies as st
from ops.harness import Net, float_arithmetic
from ops.seeded import few
from tflite.runtimes import Array, outside_xnnpack, run_onnx, run_tflite, signed

from edgegap.errors import InternalError
from edgegap.graph.nodes import constant
from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.floats import float_nodes, names_in_front
from edgegap.quantize.normal_form import Io
from edgegap.quantize.quantization import Quantization
from edgegap.quantize.signed import with_int8_activations
from edgegap.quantize.verify import verify_normal_form
from edgegap.tflite import write_tflite

from .nets import FULL, first, images_of, quantized
from .test_signed import run_int8

FLOAT_NOISE = 1e-3
"""In steps of the output's grid: what summing float32 in another order changes in a network of a few layers."""

TIE = 2
"""In steps: how far integers behind a float layer may part, where a sum lies on a tie of the grid behind it."""

STEM, BRANCH, CLIPPED, MAPS = range(4)


def parts_of(seed: int = 0) -> Quantization:
    """A residual block, a Clip and a head of maps and global pooling."""
    net = Net((1, 3, 8, 8), seed=seed)
    x = net.op("Relu", [net.conv(net.x, (4, 3, 3, 3), pads=[1, 1, 1, 1])])
    y = net.op("Relu", [net.op("Add", [x, net.conv(x, (4, 4, 3, 3), pads=[1, 1, 1, 1])])])
    limits = [net.constant(np.float32(limit)) for limit in (0, 6)]
    y = net.op("Clip", [net.conv(y, (6, 4, 3, 3)), *limits])
    return quantized(
        net, net.op("Flatten", [net.op("GlobalAveragePool", [net.conv(y, (5, 6, 1, 1))])]), recipe=FULL
    ).parts


def keeping(parts: Quantization, *layers: int) -> Quantization:
    names = list(parts.linear)
    return replace(parts, float_layers=frozenset(names[k] for k in layers))


def integers_in_front(model: ir.Model) -> list[str]:
    floats = names_in_front(model)
    return [
        str(node.outputs[0].name)
        for node in model.graph
        if node.outputs[0].dtype == ir.DataType.UINT8 and node.outputs[0].name in floats
    ]


def fed(parts: Quantization, image: Array, io: Io) -> dict[str, Array]:
    return {"x": parts.input_grid.quantize(image) if io == "int8" else image}


@few(st.sets(st.sampled_from(range(4))), st.integers(0, 10**6), st.sampled_from(["float", "int8"]))
def test_whichever_layers_stay_in_float_both_files_agree(layers: set[int], seed: int, io: Io) -> None:
    parts = keeping(parts_of(seed), *layers)
    model = parts.normal_form(io)
    proto, data = ir.to_proto(model), write_tflite(model)
    onnx.checker.check_model(proto, full_check=True)
    assert not outside_xnnpack(data)
    convolutions = [op for op in float_arithmetic(proto) if op in ("Conv", "FusedConv")]
    assert len(convolutions) == len(layers), "ONNX Runtime fused a float layer into an integer one"
    step = parts.grids[str(parts.model.graph.outputs[0].name)].scale if io == "float" else 1
    front = integers_in_front(model)
    for image in images_of(Net((1, 3, 8, 8), seed=seed + 1)):
        feeds = fed(parts, image[None], io)
        if front:
            pairs = zip(front, run_onnx(proto, feeds, *front), run_tflite(data, feeds, *front), strict=True)
            assert [name for name, ours, theirs in pairs if not np.array_equal(signed(ours), theirs)] == []
        (ours,), (theirs,) = run_onnx(proto, feeds), run_tflite(data, feeds)
        ours = ours if io == "float" else signed(ours)
        off = np.abs(ours.astype(np.float64) - theirs).max() / step
        assert off <= (FLOAT_NOISE if layers == {MAPS} and io == "float" else TIE if layers else 0)


@few(st.sets(st.sampled_from(range(4))), st.integers(0, 10**6))
def test_the_simulation_computes_what_the_files_compute(layers: set[int], seed: int) -> None:
    torch = pytest.importorskip("torch")
    parts = keeping(parts_of(seed), *layers)
    images, proto = images_of(Net((1, 3, 8, 8), seed=seed + 1)), ir.to_proto(parts.normal_form())
    simulated = parts.simulation()(torch.from_numpy(images)).numpy()
    step = parts.grids[str(parts.model.graph.outputs[0].name)].scale
    for image, mine in zip(images, simulated, strict=True):
        (theirs,) = run_onnx(proto, {"x": image[None]})
        assert np.abs(mine - theirs[0]).max() < 1.5 * step


@few(st.sets(st.sampled_from(range(4)), min_size=1), st.integers(0, 10**6))
def test_the_int8_spelling_gives_the_same_integers_in_front_of_the_first_float_op(layers: set[int], seed: int) -> None:
    parts = keeping(parts_of(seed), *layers)
    model = parts.normal_form()
    front = integers_in_front(model)
    spelled = with_int8_activations(model)
    for image in images_of(Net((1, 3, 8, 8), seed=seed + 1), 2):
        unsigned_ones = run_onnx(ir.to_proto(model), {"x": image[None]}, *front)
        for ours, theirs in zip(run_int8(spelled, {"x": image[None]}, front), unsigned_ones, strict=True):
            natural = ours.transpose(0, 2, 3, 1) if ours.ndim == 4 else ours
            assert natural.dtype == np.int8
            assert np.array_equal(natural, signed(theirs))


def test_a_float_head_is_float_up_to_the_output() -> None:
    model = keeping(parts_of(), MAPS).normal_form()
    assert [node.op_type for node in float_nodes(model)] == ["Conv", "GlobalAveragePool", "Flatten"]
    assert model.graph.outputs[0].producer() is float_nodes(model)[-1]


def test_a_float_head_of_an_integer_output_is_rounded() -> None:
    model = keeping(parts_of(), MAPS).normal_form("int8")
    assert [node.op_type for node in float_nodes(model)] == ["Conv"]
    assert model.graph.outputs[0].dtype == ir.DataType.UINT8


def test_nothing_is_quantized_between_float_layers() -> None:
    model = keeping(parts_of(), CLIPPED, MAPS).normal_form()
    ops = [node.op_type for node in float_nodes(model)]
    assert ops == ["Conv", "Clip", "Conv", "GlobalAveragePool", "Flatten"]


def test_what_an_integer_op_reads_is_quantized_although_a_float_layer_reads_it_too() -> None:
    model = keeping(parts_of(), STEM, BRANCH).normal_form()
    readers = [reader.op_type for node in float_nodes(model) for reader in node.outputs[0].consumers()]
    assert readers == ["Relu", "QuantizeLinear", "QuantizeLinear"]


def test_the_bounds_name_the_first_float_op() -> None:
    found = inexact_ops(keeping(parts_of(), BRANCH, CLIPPED).normal_form(), Net((1, 3, 8, 8)).pixel_table())
    floats = [op for op in found if op.lsb is None]
    assert [op.why for op in floats][1:] == ["computed in float"]
    names = list(parts_of().linear)
    assert names[BRANCH] in floats[0].where
    assert "computed in float" in floats[0].why


def test_without_float_layers_the_model_is_what_it_was() -> None:
    parts = parts_of()
    again = replace(parts, float_layers=frozenset())
    assert ir.to_proto(parts.normal_form()).SerializeToString() == ir.to_proto(again.normal_form()).SerializeToString()
    assert float_nodes(parts.normal_form()) == []


def test_a_float_layer_that_onnxruntime_would_quantize_breaks_a_rule() -> None:
    model = keeping(parts_of(), CLIPPED).normal_form()
    conv = first(model, "Conv", lambda node: constant(node.inputs[1]) is not None)
    dequantize = conv.inputs[0].producer()
    for k in (1, 2):
        value = dequantize.inputs[k]
        value.const_value = ir.tensor(constant(value)[:1].reshape(()), name=value.name)
    with pytest.raises(InternalError, match="ONNX Runtime would quantize its weights"):
        verify_normal_form(model)
