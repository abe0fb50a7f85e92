"""Lines become maps of one row: every op that reads one, and the input of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgegap.graph.canonical import canonicalize
from edgegap.graph.lines import lift_input, lift_lines
from edgegap.graph.load import load_onnx
from edgegap.graph.nodes import attribute, module_path, shape_of

from .models import Array, assert_close, input_shape, ints, normal, only, ops, parsed, passed, ready, run

LINE: dict[str, Any] = {"x": "float[2,4,9]"}
POSITIVE = np.array([0.5, 1, 1.5, 2], np.float32)


@pytest.mark.parametrize(
    ("body", "arrays"),
    [
        ("y = Conv<pads=[2,1], strides=[2], dilations=[2]>(x, w, b)", {"w": normal(5, 4, 3), "b": normal(5)}),
        ("y = Conv<auto_pad=\"SAME_LOWER\", group=2>(x, w)", {"w": normal(6, 2, 4)}),
        ("y = ConvTranspose<strides=[2], output_padding=[1]>(x, w)", {"w": normal(4, 3, 3)}),
        ("y = MaxPool<kernel_shape=[3], strides=[2], ceil_mode=1>(x)", {}),
        ("y = AveragePool<kernel_shape=[3], pads=[1,1]>(x)", {}),
        ("y = GlobalAveragePool(x)", {}),
        ("y = GlobalMaxPool(x)", {}),
        ("y = GlobalLpPool(x)", {}),
        ("y = BatchNormalization(x, g, b, b, g)", {"g": POSITIVE, "b": normal(4)}),
        ("y = Clip(x, low)", {"low": np.float32(0)}),
        ("y = Add(x, b)", {"b": normal(4, 1)}),
        ("y = Mul(b, x)", {"b": normal(1, 4, 9)}),
        ("a = GlobalMaxPool(x) y = Sub(x, a)", {}),
        ("a = Relu(x) y = Concat<axis=-1>(a, x)", {}),
        ("y = Pad(x, p, v)", {"p": ints(0, 1, 2, 0, 0, 3), "v": np.float32(2)}),
        ("y = Pad(x, p, , a)", {"p": ints(2, 3), "a": ints(-1)}),
        ("y = Slice(x, s, e, a)", {"s": ints(1), "e": ints(7), "a": ints(2)}),
        ("y = Slice(x, s, e, a, t)", {"s": ints(1, 0), "e": ints(9, 3), "a": ints(2, 1), "t": ints(2, 1)}),
        ("y = ReduceMean<keepdims=0>(x, a)", {"a": ints(2)}),
        ("y = ReduceMax(x, a)", {"a": ints(-1)}),
        ("y = ReduceSum<keepdims=0>(x, a)", {"a": ints(1)}),
        ("y = Transpose<perm=[0,2,1]>(x)", {}),
        ("a = Transpose<perm=[0,2,1]>(x) b = MatMul(a, w) y = Add(b, v)", {"w": normal(4, 5), "v": normal(5)}),
        ("a = Transpose<perm=[0,2,1]>(x) y = ReduceMean<keepdims=0>(a, d)", {"d": ints(1)}),
        ("a = Transpose<perm=[0,2,1]>(x) y = LayerNormalization<axis=2>(a, g, g)", {"g": POSITIVE}),
        ("a = Transpose<perm=[0,2,1]>(x) y = Mul(a, b)", {"b": normal(9, 1)}),
        ("a = Transpose<perm=[0,2,1]>(x) b = Relu(a) y = Conv(b, w)", {"w": normal(5, 9, 3)}),
    ],
)  # fmt: skip
def test_what_reads_a_line_reads_a_map_and_computes_the_same(body: str, arrays: dict[str, Array]) -> None:
    model = passed(lift_lines, ready(body, **LINE, **arrays))
    computing = [node for node in model.graph if node.op_type != "Reshape"]
    assert all(len(shape_of(value)) == 4 for node in computing for value in node.inputs[:1] if value is not None)


def test_between_two_ops_no_line_is_left() -> None:
    model = passed(lift_lines, ready("a = Relu(x) b = Conv(a, w) y = Sigmoid(b)", **LINE, w=normal(5, 4, 3)))
    assert ops(model)[-1] == "Reshape"
    assert [ops(model)[k] for k in (0, 1)] == ["Reshape", "Relu"]
    assert {node.op_type for node in model.graph if len(shape_of(node.outputs[0])) == 3} == {"Reshape"}
    assert shape_of(only(model, "Sigmoid").inputs[0]) == (2, 5, 1, 7)


def test_what_computes_keeps_its_names() -> None:
    model = passed(lift_lines, ready("a = Conv(x, w) y = Relu(a)", **LINE, w=normal(5, 4, 3)))
    conv = only(model, "Conv")
    assert (conv.name, conv.outputs[0].name, module_path(conv)) == ("make_a", "a", "at.a")


def test_a_reshape_of_a_line_reads_the_map() -> None:
    body = "a = Relu(x) b = Unsqueeze(a, two) c = Conv(b, w) d = Squeeze(c, two) y = Flatten(d)"
    model = passed(lift_lines, ready(body, **LINE, two=ints(2), w=normal(5, 4, 1, 3)))
    assert shape_of(only(model, "Conv").inputs[0]) == (2, 4, 1, 9)
    assert only(model, "Conv").inputs[0].producer() is only(model, "Relu")


@pytest.mark.parametrize(
    "body",
    [
        "m = Reshape(x, s) y = ReduceMean<keepdims=0>(m, last)",
        "m = Reshape(x, s) t = Transpose<perm=[0,2,1]>(m) y = MatMul(m, t)",
        "y = Relu(x)",
    ],
)
def test_a_matrix_for_each_image_stays_one(body: str) -> None:
    passed(lift_lines, ready(body, s=ints(0, 4, 36), last=ints(2)), changes=False)


def test_padding_of_a_line_becomes_that_of_the_convolution() -> None:
    body = "a = Pad(x, p) c = Conv<pads=[0,1]>(a, w) y = ReduceMean<keepdims=0>(c, last)"
    model = parsed(body, x="float[2,4,1,9]", w=normal(5, 4, 3), p=ints(0, 0, 2, 0, 0, 0), last=ints(2))
    model = lined(model)
    canonicalize(model, (2, 4, 1, 9))
    assert ops(model) == ["Conv", "GlobalAveragePool", "Flatten"]
    assert attribute(only(model, "Conv"), "pads") == [0, 2, 0, 1]


def lined(model: ir.Model) -> ir.Model:
    """`model`, of [2, 4, 9], with an input of [2, 4, 1, 9]."""
    model.graph.inputs[0].shape = ir.Shape([2, 4, 9])
    assert lift_input(model)
    return model


def test_layer_norm_and_linear_over_the_channels_leave_two_transposes() -> None:
    body = """a = Transpose<perm=[0,2,1]>(x) b = LayerNormalization(a, g, g) c = MatMul(b, w)
              d = Transpose<perm=[0,2,1]>(c) e = Conv(d, k) y = ReduceMean<keepdims=0>(e, last)"""
    model = parsed(body, **LINE, g=POSITIVE, w=normal(4, 4), k=normal(5, 4, 3), last=ints(2))
    x = normal(2, 4, 9, seed=1)
    expected = run(model, x)
    canonicalize(lined(model), (2, 4, 1, 9))
    assert ops(model).count("Transpose") == 2  # around LayerNormalization
    assert_close(run(model, x[:, :, None]), expected)


@pytest.mark.parametrize("shape", ["float[2,4,9]", "float[N,4,L]"])
def test_the_input_of_a_file_becomes_a_map_of_the_same_name(shape: str, tmp_path: Path) -> None:
    body = "a = Conv(x, w) y = ReduceMean<keepdims=0>(a, last)"
    model = parsed(body, x=shape, y="float[N,5]", w=normal(5, 4, 3), last=ints(2))
    x = normal(2, 4, 9)
    expected = run(model, x)
    ir.save(model, tmp_path / "net.onnx")
    loaded = load_onnx(tmp_path / "net.onnx")
    assert loaded.graph.inputs[0].name == "x"
    assert len(loaded.graph.inputs[0].shape or ()) == 4
    canonicalize(loaded, (2, 4, 1, 9))
    assert ops(loaded) == ["Conv", "GlobalAveragePool", "Flatten"]
    assert_close(run(loaded, x[:, :, None]), expected)


def test_an_input_of_images_stays_as_it_is() -> None:
    model = ready("y = Relu(x)")
    assert not lift_input(model)
    assert input_shape(model) == (2, 4, 6, 6)
