"""Sub and Div in terms of Add and Mul."""

from __future__ import annotations

import pytest

from edgegap.graph.nodes import constant
from edgegap.graph.subtraction import rewrite_subtraction

from .models import normal, only, ops, passed, ready


@pytest.mark.parametrize(("node", "op"), [("Sub(x, c)", "Add"), ("Div(x, c)", "Mul")])
@pytest.mark.parametrize("body", ["y = {}", "a = {} y = Relu(a)"])
def test_an_operation_by_a_constant_is_its_opposite_by_the_opposite(body: str, node: str, op: str) -> None:
    c = 1 + normal(4, 6, 6) ** 2
    model = passed(rewrite_subtraction, ready(body.format(node), c=c))
    assert ops(model)[0] == op
    opposite = constant(only(model, op).inputs[1])
    assert opposite == pytest.approx(-c if op == "Add" else 1 / c)


def test_a_difference_of_two_values_is_the_sum_of_one_and_the_other_negated() -> None:
    model = passed(rewrite_subtraction, ready("a = Relu(x) y = Sub(a, x)"))
    assert ops(model) == ["Relu", "Mul", "Add"]
    assert constant(only(model, "Mul").inputs[1]) == -1


def test_a_constant_minus_a_value_is_the_sum_of_it_and_the_value_negated() -> None:
    assert ops(passed(rewrite_subtraction, ready("y = Sub(c, x)", c=normal(4, 6, 6)))) == ["Mul", "Add"]


def test_a_constant_that_others_read_is_not_changed_for_them() -> None:
    model = passed(rewrite_subtraction, ready("a = Sub(x, c) y = Mul(a, c)", c=normal(4, 6, 6)))
    add, mul = model.graph
    assert add.inputs[1] is not mul.inputs[1]


@pytest.mark.parametrize("node", ["Div(c, x)", "Div(a, x)", "Add(a, x)", "Mul(a, c)"])
def test_what_is_no_difference_and_no_quotient_by_a_constant_stays(node: str) -> None:
    passed(rewrite_subtraction, ready(f"a = Exp(x) y = {node}", c=normal(4, 6, 6)), changes=False)
