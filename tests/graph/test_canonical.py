"""Whole graphs into canonical form, and what a user reads where there is none."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgegap.errors import ModelError, UnsupportedOpError
from edgegap.graph.canonical import CANONICAL_OPS, canonicalize
from edgegap.graph.nodes import module_path, shape_of

from .models import assert_close, interface, ints, normal, ops, parsed, run

AXES_BEFORE_18 = {17: "m = ReduceMean<axes=[2,3], keepdims=0>(r)"}

RESIDUAL = """
    padded = Pad(x, pads)
    a = Conv<strides=[1,1], dilations=[1,1], group=1>(padded, w)
    n = BatchNormalization(a, gamma, beta, mean, var)
    r1 = Relu(n)
    p = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(r1)
    half = Constant<value = float {0.5}>()
    h = Mul(p, half)
    s = Add(h, r1)
    i = Identity(s)
    r = Clip(i, lo, hi)
    MEAN
    z = MatMul(m, v)
    y = Add(z, c)
"""


def residual(opset: int, batch: str = "2") -> ir.Model:
    mean = AXES_BEFORE_18.get(opset, "m = ReduceMean<keepdims=0>(r, hw)")
    gamma, beta, mu, var = normal(4, 5, seed=2)
    return parsed(
        RESIDUAL.replace("MEAN", mean),
        x=f"float[{batch},4,6,6]",
        opset=opset,
        pads=ints(0, 0, 1, 1, 0, 0, 1, 1), w=normal(5, 4, 3, 3), gamma=gamma, beta=beta, mean=mu, var=var**2,
        lo=np.float32(0), hi=np.float32(6), hw=ints(2, 3), v=normal(5, 10), c=normal(10),
    )  # fmt: skip


def canonical(model: ir.Model, shape: tuple[int, ...] = (2, 4, 6, 6)) -> ir.Model:
    """The canonical form, which gives what the model gave and is its own canonical form."""
    x, names = normal(*shape, seed=1), interface(model)
    expected = run(model, x)
    canonicalize(model, shape)
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    assert_close(run(model, x), expected)
    assert set(ops(model)) <= CANONICAL_OPS
    assert interface(model) == names
    assert all(module_path(node).startswith("at.") for node in model.graph)
    assert model.opset_imports == {"": 18}
    again = canonicalize(model.clone(), shape)
    before, after = (ir.to_proto(m).SerializeToString(deterministic=True) for m in (model, again))
    assert after == before, "a second run changes something"
    return model


@pytest.mark.parametrize("opset", [17, 18, 19, 20])
def test_every_opset_has_the_same_canonical_form(opset: int) -> None:
    assert ops(canonical(residual(opset))) == [
        "Conv", "Relu", "AveragePool", "Mul", "Conv", "Add", "Clip", "GlobalAveragePool", "Flatten", "Gemm"
    ]  # fmt: skip


@pytest.mark.parametrize("batch", ["1", "7", "N"])
def test_the_batch_is_bound_whatever_the_file_says(batch: str) -> None:
    model = canonicalize(residual(18, batch), (3, 4, 6, 6))
    assert shape_of(model.graph.outputs[0]) == (3, 10)
    assert run(model, normal(3, 4, 6, 6)).shape == (3, 10)


def test_the_height_and_width_are_bound() -> None:
    model = residual(18, "N")
    model.graph.inputs[0].shape = ir.Shape(["N", 4, "H", "W"])
    assert shape_of(canonicalize(model, (1, 4, 9, 5)).graph.outputs[0]) == (1, 10)


def test_no_node_depends_on_the_batch_size() -> None:
    body = "a = Reshape(x, split) b = Transpose<perm=[0,2,1,3,4]>(a) c = Reshape(b, maps) y = Reshape(c, rows)"
    model = parsed(body, split=ints(2, 2, 2, 6, 6), maps=ints(2, 4, 6, 6), rows=ints(2, -1))
    canonical(model)
    model.graph.inputs[0].shape = ir.Shape((5, 4, 6, 6))
    for node in model.graph:
        node.outputs[0].shape = None
    assert run(model, normal(5, 4, 6, 6)).shape == (5, 144)


def test_the_reshapes_of_the_old_exporter_become_a_flatten() -> None:
    body = """p = GlobalAveragePool(x) s = Shape(p) n = Gather<axis=0>(s, zero) front = Unsqueeze(n, zeros)
              target = Concat<axis=0>(front, minus) y = Reshape(p, target)"""
    model = parsed(body, x="float[N,4,6,6]", zero=np.int64(0), zeros=ints(0), minus=ints(-1))
    assert ops(canonical(model)) == ["GlobalAveragePool", "Flatten"]


def test_a_value_that_two_branches_read_is_kept_for_both() -> None:
    body = "a = Conv(x, w) b = BatchNormalization(a, g, g, g, g) c = Relu(a) d = Add(b, c) y = GlobalAveragePool(d)"
    model = canonical(parsed(body, w=normal(4, 4, 3, 3), g=normal(4) ** 2))
    assert ops(model) == ["Conv", "Conv", "Relu", "Add", "GlobalAveragePool"]


def test_a_sum_of_products_by_a_constant_has_no_constant_left() -> None:
    body = "a = Mul(x, c) b = Add(a, d) e = Conv(b, w) y = Sub(e, f)"
    model = parsed(body, c=normal(4, 1, 1), d=np.float32(1), w=normal(5, 4, 3, 3), f=normal(5, 1, 1))
    assert ops(canonical(model)) == ["Conv", "Conv"]


def test_unused_weights_are_gone() -> None:
    model = canonical(parsed("y = Conv(x, w)", w=normal(5, 4, 3, 3), unused=normal(9)))
    assert "unused" not in model.graph.initializers


def refused(body: str, kind: type[ModelError] = UnsupportedOpError, **more: Any) -> ModelError:
    shape = more.pop("shape", (2, 4, 6, 6))
    with pytest.raises(ModelError) as caught:
        canonicalize(parsed(body, **more), shape)
    assert type(caught.value) is kind
    assert caught.value.hint
    return caught.value


LSTM: dict[str, Any] = {
    "x": "float[2,1,6,6]", "shape": (2, 1, 6, 6), "one": ints(1), "v": normal(1, 12, 6), "u": normal(1, 12, 3)
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "more", "op", "hint"),
    [
        ("a = Relu(x) y = Softmax(a)", {}, "Softmax", "left out"),
        ("a = Relu(x) y = Erf(a)", {}, "Erf", "GELU"),
        ("a = Relu(x) y = Selu(a)", {}, "Selu", "ELU"),
        ("a = Relu(x) y = Sqrt(a)", {}, "Sqrt", "one of: Add,"),
        ("a = Relu(x) y = ReduceMean(a, c)", {"c": ints(2)}, "ReduceMean", "at.y"),
        ("a = Relu(x) y = Squeeze(a)", {"x": "float[1,4,1,1]", "shape": (1, 4, 1, 1)}, "Squeeze", "flatten(1)"),
        ("s = Squeeze(x, one) y = LSTM<hidden_size=3>(s, v, u)", LSTM, "LSTM", "one of"),
    ],
)  # fmt: skip
def test_an_op_without_an_exact_form_is_refused_naming_it(body: str, more: dict[str, Any], op: str, hint: str) -> None:
    error = refused(body, **more)
    assert op in error.what
    assert error.where == f"{op} node 'make_y' (module at.y)"
    assert hint in str(error.hint)


def test_an_op_of_another_domain_is_refused_even_under_a_known_name() -> None:
    error = refused("a = Relu(x) y = mine.Conv(a)", domains=', "mine": 1')
    assert error.where == "Conv node 'make_y' (module at.y)"
    assert "mine" in error.what


def test_a_weight_computed_at_run_time_is_refused() -> None:
    body = "p = ReduceMean<keepdims=1>(x, n) q = Reshape(p, to) y = Conv(x, q)"
    error = refused(body, n=ints(0), to=ints(4, 4, 3, 3))
    assert error.where == "Conv node 'make_y' (module at.y)"
    assert "computed at run time" in error.what


@pytest.mark.parametrize(("type_", "word"), [("uint8", "UINT8"), ("double", "DOUBLE"), ("float16", "FLOAT16")])
def test_an_input_of_another_type_than_float_is_refused(type_: str, word: str) -> None:
    error = refused("a = Cast<to=1>(x) y = Relu(a)", ModelError, x=f"{type_}[2,4,6,6]")
    assert word in error.what
    assert "'x'" in error.what


@pytest.mark.parametrize(
    ("body", "shape", "what"),
    [
        ("y = Conv(x, w)", (2, 3, 6, 6), "takes 4 channels, not 3"),
        ("y = Conv(x, w)", (2, 4, 2, 2), r"shape \[2, 5, 0, 0\]"),
        ("y = MaxPool<kernel_shape=[3,3]>(x)", (2, 4, 1, 1), r"shape \[2, 4, -1, -1\]"),
        ("y = Conv(x, w)", (2, 4, 6), "contradict.*make_y"),
        ("a = Conv(x, w) y = Add(a, x)", (2, 4, 6, 6), "contradict.*make_y"),
        ("f = Flatten(x) y = Gemm<transB=1>(f, g)", (2, 4, 6, 6), "contradict.*make_y"),
        ("y = Reshape(x, to)", (2, 4, 5, 6), "contradict"),
        ("y = BatchNormalization(x, v, v, v, v)", (2, 4, 6, 6), "contradict.*make_y"),
    ],
)
def test_shapes_that_contradict_each_other_are_refused(
    body: str, shape: tuple[int, ...], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    constants = {"w": normal(5, 4, 3, 3), "g": normal(9, 7), "to": ints(2, 144), "v": normal(5) ** 2}
    error = refused(body, ModelError, shape=shape, **constants)
    assert re.search(what, str(error)), error
    assert "--input-shape" in str(error.hint)
    assert not caplog.records, "nobody reads a library's log"


def test_a_shape_that_depends_on_the_image_is_refused() -> None:
    body = "n = NonZero(x) f = Cast<to=1>(n) y = Relu(f)"
    assert isinstance(refused(body), ModelError)


def test_a_network_without_layers_is_refused() -> None:
    model = parsed("y = Identity(w)", w=normal(2, 3))
    with pytest.raises(ModelError, match=r"Identity|no layers"):
        canonicalize(model, (2, 4, 6, 6))


W = normal(4, 4, 1, 1)
WINDOW = ints(0, 0, 1, 1, 0, 0, 1, 1)


@pytest.mark.parametrize("fill", [-np.inf, -1e30, float(np.finfo(np.float32).min)])
def test_padding_that_stands_for_minus_infinity_is_the_pools_own(fill: float) -> None:
    body = "a = Conv(x, w) b = Pad(a, p, v) y = MaxPool<kernel_shape=[3,3]>(b)"
    model = canonical(parsed(body, w=W, p=WINDOW, v=np.float32(fill)))
    assert ops(model) == ["Conv", "MaxPool"]


@pytest.mark.parametrize("fill", [-np.inf, np.inf, np.nan, -1e30])
def test_an_infinite_fill_elsewhere_is_refused(fill: float) -> None:
    body = "a = Conv(x, w) y = Pad(a, p, v)"
    assert "pads with" in refused(body, w=W, p=WINDOW, v=np.float32(fill)).what


def test_a_dropout_in_training_mode_is_refused() -> None:
    error = refused("a = Conv(x, w) d = Dropout(a, r, t) y = Relu(d)", w=W, r=np.float32(0.5), t=np.array(True))
    assert "training mode" in error.what


def test_a_constant_of_higher_rank_does_not_cost_an_axis() -> None:
    one = np.full((1,) * 5, 0.5, np.float32)
    body = "a = Conv(x, w) b = Div(a, r) c = Erf(b) d = Add(c, o) e = Mul(a, d) y = Mul(e, h)"
    more = {"w": W, "r": np.float32(2**0.5), "o": np.float32(1), "h": one}
    assert "Erf" in refused(body, **more).what
    assert "Max" in refused("a = Conv(x, w) y = Max(a, k)", w=W, k=one).what


def test_a_division_by_an_erf_is_no_gelu_and_no_warning() -> None:
    body = "a = Conv(x, w) b = Erf(a) y = Div(o, b)"
    assert "Erf" in refused(body, w=W, o=np.float32(1)).what


def test_a_node_without_inputs_is_refused() -> None:
    error = refused("a = RandomNormal<shape=[1,4,6,6]>() b = Conv(x, w) y = Add(a, b)", w=W)
    assert "RandomNormal" in error.what
