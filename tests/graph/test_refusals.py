"""All that a step refuses is found, once each, and what lies before and behind it is looked at all the same."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from edgegap.errors import ModelError, UnsupportedOpError
from edgegap.graph.nodes import unsupported
from edgegap.graph.refusals import refusals

from .models import ops, ready

REFUSED = {"Det", "Erf", "Softmax"}


def refuse(model: ir.Model) -> None:
    for node in model.graph:
        if node.op_type in REFUSED:
            raise unsupported(node, "no", "Leave it out.")


def found(body: str) -> list[str]:
    return [refusal.op for refusal in refusals(ready(body), refuse)[0]]


def test_every_refused_node_is_named_with_its_module() -> None:
    model = ready("a = Erf(x) b = Relu(a) c = Softmax(b) y = Neg(c)")
    got, complete = refusals(model, refuse)
    assert complete
    assert [(r.node, r.op, r.module) for r in got] == [("make_a", "Erf", "at.a"), ("make_c", "Softmax", "at.c")]
    assert got[0].why == "cannot handle this node: no"
    assert got[0].hint == "Leave it out."
    assert ops(model) == ["Relu", "Neg"]


def test_nothing_refused_leaves_the_model_as_it_was() -> None:
    model = ready("a = Relu(x) y = Neg(a)")
    assert refusals(model, refuse) == ([], True)
    assert ops(model) == ["Relu", "Neg"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("y = Erf(x)", ["Erf"]),
        ("a = Relu(x) y = Softmax(a)", ["Softmax"]),
        ("a = Erf(x) b = Erf(x) y = Add(a, b)", ["Erf", "Erf"]),
        ("a = Erf(x) b = Softmax(a) y = Erf(b)", ["Erf", "Softmax", "Erf"]),
        ("a = Relu(x) b = Erf(a) y = Add(a, b)", ["Erf"]),
    ],
)
def test_wherever_they_stand(body: str, expected: list[str]) -> None:
    assert found(body) == expected


def test_nodes_without_names_are_told_apart() -> None:
    model = ready("a = Erf(x) b = Relu(a) y = Erf(b)")
    for node in model.graph:
        node.name = ""
    got, complete = refusals(model, refuse)
    assert complete
    assert [refusal.op for refusal in got] == ["Erf", "Erf"]
    assert len({refusal.node for refusal in got}) == 2


def test_behind_a_node_whose_shape_is_not_known_nothing_is_said() -> None:
    model = ready("a = Erf(x) y = Erf(a)")
    next(iter(model.graph)).outputs[0].shape = None
    got, complete = refusals(model, refuse)
    assert not complete
    assert len(got) == 1


def test_an_error_of_the_whole_network_is_raised_unless_a_cut_may_have_caused_it() -> None:
    def fail(model: ir.Model) -> None:
        raise ModelError("it has no layers")

    def fail_behind_a_cut(model: ir.Model) -> None:
        refuse(model)
        raise ModelError("it has no layers")

    with pytest.raises(ModelError, match="no layers") as caught:
        refusals(ready("y = Relu(x)"), fail)
    assert not isinstance(caught.value, UnsupportedOpError)
    got, complete = refusals(ready("a = Erf(x) y = Relu(a)"), fail_behind_a_cut)
    assert [refusal.op for refusal in got] == ["Erf"]
    assert not complete
