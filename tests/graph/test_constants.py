"""What does not depend on the image is computed once."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.graph.constants import fold_constants
from edgegap.graph.nodes import constant

from .models import ints, normal, only, ops, passed, ready


def test_a_constant_node_becomes_an_initializer() -> None:
    model = passed(fold_constants, ready("c = Constant<value = float[1] {2}>() y = Mul(x, c)"))
    assert ops(model) == ["Mul"]
    np.testing.assert_array_equal(constant(only(model, "Mul").inputs[1]), [2])


@pytest.mark.parametrize(
    ("attributes", "expected"), [("", [2, 4, 6, 6]), ("<start=1,end=4>", [4, 6, 6]), ("<start=-2>", [6, 6])]
)
def test_the_shape_of_a_static_value_is_a_constant(attributes: str, expected: list[int]) -> None:
    model = passed(
        fold_constants,
        ready(
            f"a = Relu(x) s = Shape{attributes}(a) n = Reshape(v, s) y = Add(a, n)", v=normal(int(np.prod(expected)))
        ),
    )
    assert ops(model) == ["Relu", "Add"]
    assert constant(only(model, "Add").inputs[1]).shape == tuple(expected)


def test_the_shape_of_a_dynamic_value_stays() -> None:
    model = ready("s = Shape(x) y = Reshape(x, s)", x="float[N,4,6,6]")
    assert fold_constants(model) is False
    assert ops(model) == ["Shape", "Reshape"]


def test_a_chain_on_constants_is_evaluated_as_in_the_files_of_the_old_exporter() -> None:
    body = """s = Shape(x) n = Gather<axis=0>(s, zero) front = Unsqueeze(n, axes) minus = Constant<value_ints=[-1]>()
              target = Concat<axis=0>(front, minus) y = Reshape(x, target)"""
    model = passed(fold_constants, ready(body, zero=np.int64(0), axes=ints(0)))
    assert ops(model) == ["Reshape"]
    np.testing.assert_array_equal(constant(only(model, "Reshape").inputs[1]), [2, -1])


def test_arithmetic_on_constants_is_evaluated() -> None:
    body = "a = Relu(w) b = Clip(a, lo, hi) c = Mul(b, b) y = Add(x, c)"
    model = passed(fold_constants, ready(body, w=normal(4, 1, 1), lo=np.float32(0.1), hi=np.float32(0.5)))
    assert ops(model) == ["Add"]


def test_an_optional_input_that_is_left_out_does_not_stop_the_evaluation() -> None:
    model = passed(fold_constants, ready('a = Clip(w, "", hi) y = Add(x, a)', w=normal(4, 1, 1), hi=np.float32(0.5)))
    assert ops(model) == ["Add"]


def test_a_constant_read_twice_is_evaluated_once() -> None:
    model = passed(fold_constants, ready("a = Relu(w) b = Add(x, a) y = Mul(b, a)", w=normal(4, 1, 1)))
    add, mul = model.graph
    assert add.inputs[1] is mul.inputs[1]


def test_what_depends_on_the_image_stays() -> None:
    passed(fold_constants, ready("a = Relu(x) y = Add(a, w)", w=normal(4, 1, 1)), changes=False)


def test_a_node_of_another_domain_is_never_evaluated() -> None:
    model = ready("a = mine.Relu(w) y = Add(x, a)", domains=', "mine": 1', w=normal(4, 1, 1))
    assert fold_constants(model) is False
    assert ops(model) == ["Relu", "Add"]


def test_a_node_with_a_subgraph_is_never_evaluated() -> None:
    body = """a = If<then_branch = yes () => (float[1] p) { p = Constant<value = float[1] {1}>() },
                     else_branch = no () => (float[1] q) { q = Constant<value = float[1] {2}>() }>(c) y = Add(x, a)"""
    assert ops(passed(fold_constants, ready(body, c=np.array(True)), changes=False)) == ["If", "Add"]


def test_quantization_of_weights_is_never_evaluated() -> None:
    body = "a = DequantizeLinear(w, s) y = Add(x, a)"
    model = ready(body, w=np.full((4, 1, 1), 3, np.int8), s=np.float32(0.5))
    passed(fold_constants, model, changes=False)


def test_a_graph_output_that_is_constant_stays() -> None:
    model = ready("y = Relu(w)", w=normal(2, 3))
    passed(fold_constants, model, changes=False)
