"""One spelling for flattening, and no batch size in a reshape."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.graph.flatten import normalize_reshapes
from edgegap.graph.nodes import attribute, constant

from .models import ints, only, ops, passed, ready

ROWS = "float[2,4,1,1]"


@pytest.mark.parametrize(
    ("node", "x"),
    [
        ("Reshape(r, rows)", "float[2,4,6,6]"),
        ("Reshape(r, baked)", "float[2,4,6,6]"),
        ("Reshape(r, kept)", ROWS),
        ("Squeeze(r, hw)", ROWS),
        ("Flatten<axis=-3>(r)", "float[2,4,6,6]"),
    ],
)
@pytest.mark.parametrize("body", ["r = Relu(x) y = {}", "r = Relu(x) f = {} y = Neg(f)"])
def test_what_drops_the_spatial_axes_is_a_flatten(node: str, x: str, body: str) -> None:
    constants = {"rows": ints(0, -1), "baked": ints(2, 144), "kept": ints(-1, 4), "hw": ints(-1, 2)}
    model = passed(normalize_reshapes, ready(body.format(node), x=x, **constants))
    assert ops(model)[1] == "Flatten"
    assert attribute(only(model, "Flatten"), "axis") == 1


@pytest.mark.parametrize("node", ["Flatten(x)", "Flatten<axis=1>(x)"])
def test_a_flatten_stays(node: str) -> None:
    passed(normalize_reshapes, ready(f"y = {node}"), changes=False)


@pytest.mark.parametrize(
    ("node", "target"),
    [
        ("Reshape(x, full)", [0, 2, 72]),
        ("Reshape(x, rest)", [0, 2, 12, 6]),
        ("Unsqueeze(x, axis)", [0, 4, 6, 1, 6]),
    ],
)
def test_any_other_copies_the_batch(node: str, target: list[int]) -> None:
    constants = {"full": ints(2, 2, 72), "rest": ints(-1, 2, 12, 6), "axis": ints(3)}
    model = passed(normalize_reshapes, ready(f"y = {node}", **constants))
    assert constant(only(model, "Reshape").inputs[1]).tolist() == target


def test_a_squeeze_of_one_axis_copies_the_batch() -> None:
    model = passed(normalize_reshapes, ready("y = Squeeze(x, axis)", x="float[2,4,1,6]", axis=ints(2)))
    assert constant(only(model, "Reshape").inputs[1]).tolist() == [0, 4, 6]


def test_a_reshape_that_does_not_copy_zeros_is_rewritten() -> None:
    model = passed(normalize_reshapes, ready("y = Reshape<allowzero=1>(x, to)", to=ints(2, 2, 72)))
    assert attribute(only(model, "Reshape"), "allowzero", 0) == 0


@pytest.mark.parametrize("second", ["Flatten(a)", "Reshape(a, rows)", "Flatten<axis=-1>(a)"])
def test_a_flatten_of_a_flatten_is_one(second: str) -> None:
    model = passed(normalize_reshapes, ready(f"a = Flatten(x) b = {second} y = Relu(b)", rows=ints(2, 144)))
    assert ops(model) == ["Flatten", "Relu"]


def test_a_flatten_that_others_read_stays_for_them() -> None:
    model = passed(normalize_reshapes, ready("a = Flatten(x) b = Flatten(a) c = Relu(a) y = Add(b, c)"))
    assert ops(model) == ["Flatten", "Flatten", "Relu", "Add"]


@pytest.mark.parametrize("node", ["Reshape(x, mixed)", "Flatten<axis=2>(x)"])
def test_a_reshape_that_mixes_images_stays(node: str) -> None:
    passed(normalize_reshapes, ready(f"y = {node}", mixed=ints(8, 36)), changes=False)


def test_a_reshape_is_not_copied_for_another_batch() -> None:
    model = passed(normalize_reshapes, ready("y = Reshape(x, to)", to=ints(2, 2, 72)))
    np.testing.assert_array_equal(constant(only(model, "Reshape").inputs[1])[0], 0)
