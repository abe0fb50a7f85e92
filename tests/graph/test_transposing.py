"""Transposes sink until they meet."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgegap.graph.identities import remove_identities
from edgegap.graph.nodes import attribute
from edgegap.graph.transposing import sink_transposes

from .models import ints, normal, only, ops, passed, ready

THERE, BACK = "Transpose<perm=[0,2,3,1]>", "Transpose<perm=[0,3,1,2]>"


def sunk(body: str, *, changes: bool = True, **constants: np.ndarray) -> ir.Model:
    """The network once the Transposes sank and those that meet vanished; `passed` compares what it gives."""
    model = passed(sink_transposes, ready(body, **constants), changes=changes)
    remove_identities(model)
    RemoveUnusedNodesPass()(model)
    return model


@pytest.mark.parametrize(
    "function", ["Relu(a)", "Sigmoid(a)", "Tanh(a)", "Elu(a)", "Mish(a)", "HardSwish(a)", "Clip(a, lo, hi)"]
)
def test_they_pass_a_function_of_one_value(function: str) -> None:
    found = ops(sunk(f"a = {THERE}(x) b = {function} y = {BACK}(b)", lo=np.float32(-0.5), hi=np.float32(0.5)))
    assert found == [function.partition("(")[0]]


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("shape", [(), (1,), (4,), (6, 1), (1, 6, 1, 4), (1, 6, 6, 4)])
@pytest.mark.parametrize("order", ["a, c", "c, a"])
def test_they_pass_arithmetic_with_a_constant(op: str, shape: tuple[int, ...], order: str) -> None:
    constant = 2 + normal(*shape, seed=1) ** 2
    assert ops(sunk(f"s = Sigmoid(x) a = {THERE}(s) b = {op}({order}) y = {BACK}(b)", c=constant)) == ["Sigmoid", op]


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_they_pass_arithmetic_of_two_values_that_are_transposed_alike(op: str) -> None:
    assert ops(sunk(f"r = Relu(x) a = {THERE}(x) b = {THERE}(r) c = {op}(a, b) y = {BACK}(c)")) == ["Relu", op]


def test_they_pass_arithmetic_with_what_a_layer_norm_gives() -> None:
    body = f"""t = {THERE}(x) n = LayerNormalization(t, ones) r = Relu(x) a = {THERE}(r) b = Add(n, a)
        y = ReduceMean<keepdims=0>(b, axes)"""
    found = ops(sunk(body, ones=np.ones(4, np.float32), axes=ints(1, 2)))
    assert found == ["Transpose", "LayerNormalization", "Relu", "Transpose", "Add", "ReduceMean"]


def test_they_stay_between_values_of_which_only_one_is_transposed() -> None:
    body = f"r = Relu(x) a = {THERE}(x) s = Reshape(r, shape) y = Add(a, s)"
    assert ops(sunk(body, changes=False, shape=ints(2, 6, 6, 4))) == ["Relu", "Transpose", "Reshape", "Add"]


def test_a_value_that_is_read_twice_keeps_its_transpose_for_the_other() -> None:
    found = ops(sunk(f"a = {THERE}(x) b = Relu(a) c = {BACK}(b) d = Exp(a) e = {BACK}(d) y = Add(c, e)"))
    assert sorted(found) == ["Add", "Exp", "Relu", "Transpose", "Transpose"]


def test_they_pass_slices_and_concats_along_the_axis_that_theirs_was() -> None:
    body = f"""a = {THERE}(x) p = Slice(a, zero, two, last) q = Slice(a, two, four, last)
        c = Concat<axis=3>(q, p) y = {BACK}(c)"""
    model = sunk(body, zero=ints(0), two=ints(2), four=ints(4), last=ints(3))
    assert ops(model) == ["Slice", "Slice", "Concat"]
    assert attribute(only(model, "Concat"), "axis") == 1


def test_a_mean_over_the_map_needs_none() -> None:
    assert ops(sunk(f"a = {THERE}(x) y = ReduceMean<keepdims=0>(a, axes)", axes=ints(1, 2))) == ["ReduceMean"]


def test_a_mean_that_would_leave_its_axes_in_another_order_keeps_it() -> None:
    assert ops(sunk(f"a = {THERE}(x) y = ReduceMean<keepdims=0>(a, axes)", changes=False, axes=ints(1))) == [
        "Transpose",
        "ReduceMean",
    ]
