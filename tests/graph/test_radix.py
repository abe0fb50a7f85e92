"""Radix attention in terms of Sigmoid, Slice, Mul and Add of maps."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.errors import UnsupportedOpError
from edgegap.graph.canonical import canonicalize
from edgegap.graph.nodes import shape_of
from edgegap.graph.radix import rewrite_radix_attention

from .models import Array, assert_close, ints, normal, only, ops, parsed, passed, ready, run

POINTS = "float[2,4,1,1]"


def weights(rows: int, columns: int = 4) -> dict[str, Array]:
    return {"w": normal(rows, columns, 1, 1), "b": normal(rows, seed=2)}


@pytest.mark.parametrize(("to", "axis"), [((2, 2, 3), 1), ((2, 2, 3, 1, 1), -4), ((2, 1, 2, 3), 2), ((2, 3, 2), -1)])
def test_a_softmax_over_two_of_a_convolution_is_a_sigmoid_of_another(to: tuple[int, ...], axis: int) -> None:
    body = f"c = Conv(x, w, b) r = Reshape(c, to) s = Softmax<axis={axis}>(r) y = Relu(s)"
    model = passed(rewrite_radix_attention, ready(body, x=POINTS, to=ints(*to), **weights(6)))
    assert ops(model) == ["Conv", "Sigmoid", "Reshape", "Relu"]


def test_a_softmax_over_two_of_a_gemm_is_a_sigmoid_of_another() -> None:
    body = "f = Flatten(x) g = Gemm<transB=1>(f, w, b) r = Reshape(g, to) s = Softmax(r) y = Relu(s)"
    model = passed(
        rewrite_radix_attention,
        ready(body, x=POINTS, w=normal(6, 4), b=normal(6, seed=2), to=ints(0, 3, 2)),
    )
    assert ops(model) == ["Flatten", "Gemm", "Sigmoid", "Reshape", "Relu"]


def test_outputs_come_in_the_order_that_the_softmax_reads() -> None:
    """The radix-major order of ResNeSt with several groups."""
    body = "c = Conv(x, w, b) r = Reshape(c, to) t = Transpose<perm=[0,2,1,3]>(r) s = Softmax<axis=1>(t) y = Relu(s)"
    model = passed(rewrite_radix_attention, ready(body, x=POINTS, to=ints(0, 2, 2, 3), **weights(12)))
    assert ops(model) == ["Conv", "Sigmoid", "Reshape", "Relu"]


@pytest.mark.parametrize("axis", [1, 2])
def test_a_grouped_convolution_stays_where_the_halves_are_of_different_groups(axis: int) -> None:
    body = f"c = Conv<group=2>(x, w, b) r = Reshape(c, to) s = Softmax<axis={axis}>(r) y = Relu(s)"
    model = passed(rewrite_radix_attention, ready(body, x=POINTS, to=ints(0, 2, 2, 3), **weights(12, 2)))
    assert ("Sub" in ops(model)) is (axis == 1)
    assert ops(model).count("Sigmoid") == 3 - axis


def test_others_read_the_convolution_as_it_was() -> None:
    body = "c = Conv(x, w, b) r = Reshape(c, to) s = Softmax<axis=1>(r) y = Add(s, r)"
    model = passed(rewrite_radix_attention, ready(body, x=POINTS, to=ints(0, 2, 3), **weights(6)))
    assert ops(model).count("Conv") == 2


def test_a_softmax_over_two_of_anything_is_two_sigmoids() -> None:
    model = passed(rewrite_radix_attention, ready("s = Softmax<axis=1>(x) y = Relu(s)", x="float[2,2,5,6]"))
    assert {"Sub", "Sigmoid", "Concat"} <= set(ops(model))


def test_large_differences_do_not_overflow() -> None:
    model = ready("s = Softmax<axis=1>(x) y = Relu(s)", x="float[1,2,1,1]")
    x = np.array([-3e4, 3e4], np.float32).reshape(1, 2, 1, 1)
    expected = run(model, x)
    assert rewrite_radix_attention(model)
    assert_close(run(model, x), expected)


def test_a_softmax_over_one_is_one() -> None:
    model = passed(rewrite_radix_attention, ready("s = Softmax<axis=1>(x) y = Add(x, s)", x="float[2,1,5,6]"))
    assert ops(model) == ["Add"]


@pytest.mark.parametrize("body", ["y = Softmax(f)", "s = Softmax(f) y = Unsqueeze(s, axis)"])
def test_a_softmax_that_ends_the_network_stays(body: str) -> None:
    model = ready(f"f = Flatten(x) {body}", x="float[2,2,1,1]", axis=ints(2))
    passed(rewrite_radix_attention, model, changes=False)


def test_a_softmax_over_three_stays_and_is_refused() -> None:
    body = "r = Reshape(x, to) s = Softmax<axis=1>(r) y = Relu(s)"
    passed(rewrite_radix_attention, ready(body, to=ints(0, 3, 48), x="float[2,4,6,6]"), changes=False)
    with pytest.raises(UnsupportedOpError, match="Softmax has no exact int8 form"):
        canonicalize(parsed(body, to=ints(0, 3, 48)), (2, 4, 6, 6))


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("radix", [2, 4])
def test_a_sum_over_an_axis_split_out_of_channels_is_one_of_slices(radix: int, keepdims: int) -> None:
    body = f"r = Reshape(x, to) y = ReduceSum<keepdims={keepdims}>(r, axis)"
    model = passed(rewrite_radix_attention, ready(body, to=ints(0, radix, 4 // radix, 6, 6), axis=ints(-4)))
    assert ops(model) == ["Slice"] * radix + ["Add"] * (radix - 1) + ["Reshape"]
    assert all(len(shape_of(node.outputs[0])) == 4 for node in model.graph if node.op_type != "Reshape")


def test_a_sum_over_one_is_a_reshape() -> None:
    body = "r = Reshape(x, to) y = ReduceSum<keepdims=0>(r, axis)"
    model = passed(rewrite_radix_attention, ready(body, to=ints(0, 4, 1, 6, 6), axis=ints(2)))
    assert ops(model) == ["Reshape"]


@pytest.mark.parametrize("axis", [0, 1, 4])
def test_a_sum_over_stacked_maps_adds_them(axis: int) -> None:
    body = f"a = Relu(x) b = Neg(x) c = Unsqueeze(a, axis) d = Unsqueeze(b, axis) e = Concat<axis={axis}>(c, d, c) "
    model = passed(rewrite_radix_attention, ready(body + "y = ReduceSum<keepdims=0>(e, axis)", axis=ints(axis)))
    assert ops(model) == ["Relu", "Neg", "Add", "Add", "Reshape"]


@pytest.mark.parametrize("gate", ["[2,2,2,1,1]", "[1,2,2,1,1]", "[2,1,1]", "[2,1,2,1,1]", "[]", "[1,2,1,1,6]"])
def test_a_sum_of_products_is_one_of_maps(gate: str) -> None:
    shape = tuple(map(int, filter(None, gate[1:-1].split(","))))
    body = "r = Reshape(x, to) m = Mul(r, gate) y = ReduceSum<keepdims=0>(m, axis)"
    model = passed(
        rewrite_radix_attention, ready(body, to=ints(0, 2, 2, 6, 6), axis=ints(1), gate=normal(*shape, seed=3))
    )
    ranks = {len(shape_of(node.outputs[0])) for node in model.graph if node.op_type in ("Mul", "Add")}
    assert ranks == {4}
    assert ops(model).count("Mul") == 2


def test_two_sums_share_their_slices() -> None:
    body = (
        "r = Reshape(x, to) a = ReduceSum<keepdims=0>(r, axis) g = ReduceMean(a, hw) u = Unsqueeze(g, axis) "
        "m = Mul(r, u) y = ReduceSum<keepdims=0>(m, axis)"
    )
    model = passed(rewrite_radix_attention, ready(body, to=ints(0, 2, 2, 6, 6), axis=ints(1), hw=ints(2, 3)))
    assert ops(model).count("Slice") == 2


def test_a_product_that_others_read_is_not_made_twice() -> None:
    body = "r = Reshape(x, to) m = Mul(r, r) a = ReduceSum(m, axis) y = Add(m, a)"
    model = passed(rewrite_radix_attention, ready(body, to=ints(0, 2, 2, 6, 6), axis=ints(1)))
    assert only(model, "Mul")


@pytest.mark.parametrize(
    ("body", "to"),
    [
        ("y = ReduceSum<keepdims=0>(r, axis)", (0, 9, 4, 4)),
        ("y = ReduceSum<keepdims=0>(r, axis)", (0, 9, 4, 2, 2)),
        ("y = ReduceSum<keepdims=0>(r, both)", (0, 2, 2, 6, 6)),
        ("y = ReduceMax<keepdims=0>(r, axis)", (0, 2, 2, 6, 6)),
    ],
)
def test_another_reduction_stays(body: str, to: tuple[int, ...]) -> None:
    model = ready(f"r = Reshape(x, to) {body}", to=ints(*to), axis=ints(1), both=ints(1, 2))
    passed(rewrite_radix_attention, model, changes=False)
