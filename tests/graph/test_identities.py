"""What does nothing is removed."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.graph.identities import remove_identities
from edgegap.graph.nodes import attribute

from .models import ints, normal, only, ops, passed, ready

NOTHING = [
    "b = Identity(a)",
    "b = Dropout(a)",
    "b = Cast<to=1>(a)",
    "b = Transpose<perm=[0,1,2,3]>(a)",
    "b = Concat<axis=1>(a)",
    "b = Pad(a, none)",
    "b = Reshape(a, same)",
]


@pytest.mark.parametrize("node", NOTHING)
def test_it_is_gone(node: str) -> None:
    model = ready(f"a = Relu(x) {node} y = Neg(b)", none=np.zeros(8, np.int64), same=ints(0, 0, 6, -1))
    assert ops(passed(remove_identities, model)) == ["Relu", "Neg"]


@pytest.mark.parametrize("node", ["b = Flatten(a)", "b = Squeeze(a, none)", "b = Unsqueeze(a, none)"])
def test_a_change_of_shape_to_the_same_shape_is_gone(node: str) -> None:
    model = ready(f"a = Relu(x) {node} y = Neg(b)", x="float[2,4]", none=np.zeros(0, np.int64))
    assert ops(passed(remove_identities, model)) == ["Relu", "Neg"]


@pytest.mark.parametrize("node", NOTHING)
def test_it_is_gone_as_the_graphs_output_which_keeps_its_name(node: str) -> None:
    model = ready(f"a = Relu(x) {node.replace('b =', 'y =')}", none=np.zeros(8, np.int64), same=ints(0, 0, 6, -1))
    assert ops(passed(remove_identities, model)) == ["Relu"]


def test_it_is_gone_behind_the_graphs_input_which_keeps_its_name() -> None:
    assert ops(passed(remove_identities, ready("a = Identity(x) y = Relu(a)"))) == ["Relu"]


def test_it_is_gone_where_the_value_is_read_twice() -> None:
    assert ops(
        passed(remove_identities, ready("a = Relu(x) b = Identity(a) c = Neg(b) d = Add(a, c) y = Mul(d, b)"))
    ) == [
        "Relu",
        "Neg",
        "Add",
        "Mul",
    ]


def test_a_chain_of_them_is_gone() -> None:
    model = ready("a = Relu(x) b = Identity(a) c = Dropout(b) d = Cast<to=1>(c) y = Identity(d)")
    assert ops(passed(remove_identities, model)) == ["Relu"]


def test_an_identity_from_the_input_to_the_output_stays_for_both_have_a_name() -> None:
    passed(remove_identities, ready("y = Identity(x)"), changes=False)


def test_two_transposes_in_a_row_become_one() -> None:
    model = passed(remove_identities, ready("a = Transpose<perm=[0,2,3,1]>(x) y = Transpose<perm=[0,2,1,3]>(a)"))
    assert attribute(only(model, "Transpose"), "perm") == [0, 3, 2, 1]


def test_two_transposes_that_undo_each_other_are_gone() -> None:
    model = ready("r = Relu(x) a = Transpose<perm=[0,2,3,1]>(r) b = Transpose<perm=[0,3,1,2]>(a) y = Neg(b)")
    assert ops(passed(remove_identities, model)) == ["Relu", "Neg"]


def test_a_transposed_value_that_is_read_twice_is_kept() -> None:
    body = """a = Transpose<perm=[0,2,3,1]>(x) b = Transpose<perm=[0,3,1,2]>(a)
              c = Relu(a) d = Transpose<perm=[0,3,1,2]>(c) y = Add(b, d)"""
    assert ops(passed(remove_identities, ready(body))) == ["Transpose", "Relu", "Transpose", "Add"]


@pytest.mark.parametrize(
    "node",
    [
        "b = Cast<to=6>(a) c = Cast<to=1>(b)",
        "c = Transpose<perm=[0,1,3,2]>(a)",
        "c = Concat<axis=1>(a, a)",
        "c = Pad(a, some)",
        "c = Reshape(a, other)",
        "c, mask = Dropout(a) d = Cast<to=1>(mask) e = Add(c, d)",
    ],
)
def test_what_does_something_stays(node: str) -> None:
    last = "e" if "mask" in node else "c"
    model = ready(f"a = Relu(x) {node} y = Neg({last})", some=ints(0, 0, 1, 0, 0, 0, 0, 0), other=ints(2, 6, 4, 6))
    passed(remove_identities, model, changes=False)


def test_a_transpose_of_constants_is_none_of_its_business() -> None:
    passed(
        remove_identities, ready("w2 = Transpose(w) y = MatMul(x, w2)", x="float[2,4]", w=normal(3, 4)), changes=False
    )
