"""Padding: auto_pad is resolved, Pad is written out or becomes the convolution's own."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.errors import UnsupportedOpError
from edgegap.graph.nodes import attribute, constant
from edgegap.graph.padding import normalize_padding

from .models import ints, normal, only, ops, passed, ready

SPATIAL = ints(0, 0, 1, 2, 0, 0, 3, 0)
CONV = "kernel_shape=[3,3], strides=[1,1], pads=[1,0,0,1]"


@pytest.mark.parametrize("pool", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("window", ["kernel_shape=[3,2], strides=[2,2]", "kernel_shape=[2,5]"])
def test_auto_pad_of_a_pool_becomes_explicit(pool: str, mode: str, window: str) -> None:
    model = passed(normalize_padding, ready(f'y = {pool}<{window}, auto_pad="{mode}">(x)', x="float[1,4,7,6]"))
    assert attribute(only(model, pool), "auto_pad") == "NOTSET"


def test_a_pool_with_explicit_pads_stays() -> None:
    passed(normalize_padding, ready("y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)"), changes=False)


@pytest.mark.parametrize(("axes", "pads"), [((2, 3), (1, 2, 3, 4)), ((-1,), (2, 1)), ((3, -3), (1, 0, 2, 5))])
def test_a_pad_with_axes_is_written_over_all_axes(axes: tuple[int, ...], pads: tuple[int, ...]) -> None:
    body = "a = Pad(x, pads, value, axes) y = Relu(a)"
    model = ready(body, pads=ints(*pads), value=np.float32(0.5), axes=ints(*axes))
    pad = only(passed(normalize_padding, model), "Pad")
    assert len(pad.inputs) == 3
    assert len(constant(pad.inputs[1])) == 8


def test_a_pad_with_axes_and_no_value_is_written_over_all_axes() -> None:
    model = ready('y = Pad(x, pads, "", axes)', pads=ints(1, 1), axes=ints(2))
    assert ops(passed(normalize_padding, model)) == ["Pad"]


def test_a_pad_in_front_of_a_conv_is_its_own() -> None:
    body = f"a = Pad(x, pads) y = Conv<{CONV}>(a, w)"
    model = passed(normalize_padding, ready(body, pads=SPATIAL, w=normal(5, 4, 3, 3)))
    assert ops(model) == ["Conv"]
    assert attribute(only(model, "Conv"), "pads") == [2, 2, 3, 1]


def test_a_pad_with_axes_in_front_of_a_conv_is_its_own() -> None:
    body = f'a = Pad(x, pads, "", axes) y = Conv<{CONV}>(a, w)'
    model = passed(normalize_padding, ready(body, pads=ints(1, 2), axes=ints(-1), w=normal(5, 4, 3, 3)))
    assert ops(model) == ["Conv"]


def test_two_pads_in_front_of_a_conv_are_its_own() -> None:
    body = f"a = Pad(x, pads) b = Pad(a, pads, zero) y = Conv<{CONV}>(b, w)"
    model = ready(body, pads=SPATIAL, zero=np.float32(0), w=normal(5, 4, 3, 3))
    assert ops(passed(normalize_padding, model)) == ["Conv"]


def test_a_pad_that_others_read_stays_for_them() -> None:
    body = f"a = Pad(x, pads) b = Conv<{CONV}>(a, w) c = MaxPool<{CONV}>(a) y = Concat<axis=1>(b, c)"
    model = passed(normalize_padding, ready(body, pads=SPATIAL, w=normal(5, 4, 3, 3)))
    assert ops(model) == ["Pad", "Conv", "MaxPool", "Concat"]


@pytest.mark.parametrize(
    ("pads", "value"),
    [(SPATIAL, 0.5), (ints(0, 1, 0, 0, 0, 0, 0, 0), 0.0), (ints(0, 0, 1, 0, 1, 0, 0, 0), 0.0)],
    ids=["another value", "channels", "images"],
)
def test_a_pad_that_a_conv_does_not_have_stays(pads, value: float) -> None:
    channels = 4 + int(pads[1])
    body = f"a = Pad(x, pads, value) y = Conv<{CONV}>(a, w)"
    model = ready(body, pads=pads, value=np.float32(value), w=normal(5, channels, 3, 3))
    passed(normalize_padding, model, changes=False)


def test_a_mode_of_no_slices_is_refused() -> None:
    model = ready('a = Relu(x) y = Pad<mode="wrap">(a, pads)', pads=SPATIAL)
    with pytest.raises(UnsupportedOpError) as caught:
        normalize_padding(model)
    assert caught.value.where == "Pad node 'make_y' (module at.y)"
    assert "wrap" in caught.value.what
    assert "zeros" in str(caught.value.hint)


def test_negative_padding_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="negative padding"):
        normalize_padding(ready("y = Pad(x, pads)", pads=-SPATIAL))


def test_padding_computed_at_run_time_is_refused() -> None:
    model = ready("s = Shape(x) n = Mul(s, s) p = Concat<axis=0>(n, n) y = Pad(x, p)")
    with pytest.raises(UnsupportedOpError, match="computed at run time"):
        normalize_padding(model)
