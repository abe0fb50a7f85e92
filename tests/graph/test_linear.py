"""Convolutions and fully connected layers with everything written out."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.errors import UnsupportedOpError
from edgegap.graph.linear import normalize_linear
from edgegap.graph.nodes import attribute, constant

from .models import ints, normal, only, ops, passed, ready

ROWS = "float[2,4]"
WRITTEN = {"kernel_shape", "strides", "dilations", "group", "pads"}


def gemm_is_canonical(node) -> bool:
    plain = attribute(node, "transA") == 0 and attribute(node, "alpha") == attribute(node, "beta") == 1.0
    outputs = constant(node.inputs[1]).shape[0]
    return plain and attribute(node, "transB") == 1 and constant(node.inputs[2]).shape == (outputs,)


def test_the_attributes_of_a_conv_are_written_out_and_it_has_a_bias() -> None:
    conv = only(passed(normalize_linear, ready("y = Conv(x, w)", w=normal(5, 4, 3, 2))), "Conv")
    assert set(conv.attributes) == WRITTEN
    assert attribute(conv, "kernel_shape") == [3, 2]
    np.testing.assert_array_equal(constant(conv.inputs[2]), np.zeros(5))


def test_a_conv_keeps_what_it_says() -> None:
    body = "y = Conv<strides=[2,1], dilations=[1,2], group=2, pads=[1,0,2,3]>(x, w, b)"
    conv = only(passed(normalize_linear, ready(body, w=normal(6, 2, 3, 2), b=normal(6))), "Conv")
    assert {k: attribute(conv, k) for k in WRITTEN} == {
        "kernel_shape": [3, 2], "strides": [2, 1], "dilations": [1, 2], "group": 2, "pads": [1, 0, 2, 3]
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("window", ["strides=[1,1]", "strides=[2,2]", "strides=[3,2]"])
def test_auto_pad_of_a_conv_becomes_explicit(mode: str, window: str) -> None:
    model = ready(f'y = Conv<{window}, auto_pad="{mode}">(x, w)', x="float[1,4,7,6]", w=normal(5, 4, 3, 2))
    assert "auto_pad" not in only(passed(normalize_linear, model), "Conv").attributes


def test_two_convs_with_one_weight_share_it() -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) b = Conv<pads=[1,1,1,1]>(a, w) y = Add(a, b)"
    model = passed(normalize_linear, ready(body, w=normal(4, 4, 3, 3)))
    first, second, _ = model.graph
    assert first.inputs[1] is second.inputs[1]


@pytest.mark.parametrize("bias", [(5,), (1, 5), (1,), (1, 1), ()])
@pytest.mark.parametrize("scales", ["", ", alpha=0.5", ", beta=-2.0"])
@pytest.mark.parametrize("transposed", [0, 1])
def test_every_gemm_is_x_times_w_transposed_plus_b(bias: tuple[int, ...], scales: str, transposed: int) -> None:
    body = f"r = Relu(x) y = Gemm<transB={transposed}{scales}>(r, w, b)"
    w = normal(5, 4) if transposed else normal(4, 5)
    written = transposed and not scales and bias == (5,)
    model = passed(normalize_linear, ready(body, x=ROWS, w=w, b=normal(*bias)), changes=not written)
    gemm = only(model, "Gemm")
    assert written or set(gemm.attributes) == {"alpha", "beta", "transA", "transB"}
    assert attribute(gemm, "transB") == 1
    assert constant(gemm.inputs[2]).shape == (5,)


def test_a_gemm_without_bias_gets_one() -> None:
    gemm = only(passed(normalize_linear, ready("y = Gemm(x, w)", x=ROWS, w=normal(4, 5))), "Gemm")
    assert gemm_is_canonical(gemm)


@pytest.mark.parametrize("body", ["y = MatMul(x, w)", "a = MatMul(x, w) y = Relu(a)"])
def test_a_matmul_is_a_gemm(body: str) -> None:
    model = passed(normalize_linear, ready(body, x=ROWS, w=normal(4, 5)))
    assert gemm_is_canonical(only(model, "Gemm"))


@pytest.mark.parametrize("add", ["Add(a, b)", "Add(b, a)"])
@pytest.mark.parametrize("bias", [(5,), (1, 5), (1,), ()])
@pytest.mark.parametrize("body", ["a = MatMul(x, w) y = {}", "a = MatMul(x, w) c = {} y = Relu(c)"])
def test_an_add_behind_a_matmul_is_its_bias(add: str, bias: tuple[int, ...], body: str) -> None:
    model = passed(normalize_linear, ready(body.format(add), x=ROWS, w=normal(4, 5), b=normal(*bias)))
    assert ops(model)[0] == "Gemm"
    assert "Add" not in ops(model)


@pytest.mark.parametrize(
    ("body", "rest"),
    [
        ("a = MatMul(x, w) c = Add(a, b) d = Relu(a) y = Add(c, d)", ["Add", "Relu", "Add"]),
        ("a = MatMul(x, w) y = Add(a, full)", ["Add"]),
        ("a = MatMul(x, w) y = Add(a, a)", ["Add"]),
        ("a = MatMul(x, w) y = Add(a, taller)", ["Add"]),
    ],
    ids=["read twice", "another one per image", "itself", "one more axis"],
)
def test_an_add_that_is_no_bias_stays(body: str, rest: list[str]) -> None:
    model = ready(body, x=ROWS, w=normal(4, 5), b=normal(5), full=normal(2, 5), taller=normal(1, 1, 5))
    assert ops(passed(normalize_linear, model)) == ["Gemm", *rest]


def test_a_matmul_of_maps_with_the_channels_last_is_a_pointwise_conv_between_transposes() -> None:
    model = passed(normalize_linear, ready("y = MatMul(x, w)", w=normal(6, 5)))
    assert ops(model) == ["Transpose", "Conv", "Transpose"]
    assert attribute(only(model, "Conv"), "kernel_shape") == [1, 1]


def test_a_matmul_of_two_activations_or_by_a_vector_stays() -> None:
    model = ready("a = Transpose<perm=[1,0]>(x) y = MatMul(x, a)", x=ROWS)
    passed(normalize_linear, model, changes=False)
    passed(normalize_linear, ready("y = MatMul(x, w)", x=ROWS, w=normal(4)), changes=False)


@pytest.mark.parametrize(
    ("body", "x", "what"),
    [
        ("y = Conv(x, deep)", "float[1,4,9,9,9]", "3 spatial dimensions"),
        ("a = Relu(w) y = Conv(x, a)", "float[1,4,9]", "weight is computed at run time"),
        ("a = Relu(w) y = Gemm(x, a)", "float[2,4]", "weight is computed at run time"),
        ("y = Gemm<transA=1>(x, v)", "float[4,2]", "transA"),
    ],
)
def test_what_cannot_be_written_so_is_refused_naming_the_node(body: str, x: str, what: str) -> None:
    w = normal(5, 4, 3) if "Conv" in body else normal(4, 5)
    with pytest.raises(UnsupportedOpError, match=what) as caught:
        normalize_linear(ready(body, x=x, w=w, v=normal(4, 5), deep=normal(5, 4, 3, 3, 3)))
    assert "'make_y' (module at.y)" in str(caught.value.where)
    assert caught.value.hint


def test_a_bias_computed_at_run_time_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="bias is computed at run time"):
        normalize_linear(ready("a = Relu(b) y = Conv(x, w, a)", w=normal(5, 4, 3, 3), b=normal(5)))


def test_a_bias_per_image_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="bias"):
        normalize_linear(ready("y = Gemm(x, w, b)", x=ROWS, w=normal(4, 5), b=normal(2, 5)))


def test_a_name_that_is_taken_is_not_taken_again() -> None:
    body = "w_bias = Conv(x, w) y = Conv(w_bias, v)"
    model = passed(normalize_linear, ready(body, w=normal(4, 4, 1, 1), v=normal(4, 4, 1, 1), w_bias_1=ints(0)))
    assert ops(model) == ["Conv", "Conv"]
