"""Concat, Slice, Pad, Reshape, Flatten, Transpose: the values move, nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError

from .nets import Net, QuantizedNet
from .runtimes import assert_same_floats, assert_same_integers, operators, outside_xnnpack, written

SHAPE = (2, 6, 5, 4)


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_concat_along_every_axis(axis: int) -> None:
    net = Net()
    y = net.op("Concat", [net.input("a", SHAPE), net.input("b", SHAPE), net.constant(net.normal(*SHAPE))], axis=axis)
    assert_same_floats(net.model(y), net.normal(*SHAPE), net.normal(*SHAPE))


@pytest.mark.parametrize("axis", [1, 2])
def test_int8_concat_gives_the_same_integers(axis: int) -> None:
    net = QuantizedNet()
    a, b = (net.uint8_input(name, SHAPE, 77, 0.05) for name in "ab")
    y = net.keep("Concat", a, "joined", b, net.constant(net.random_integers(*SHAPE)), axis=axis)
    net.dequantize(y, "unused")
    data = assert_same_integers(net.integer_model(y), net.random_integers(*SHAPE), net.random_integers(*SHAPE))
    assert operators(data) == ["CONCATENATION"]
    assert not outside_xnnpack(data)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_slices_of_every_kind_in_float_and_int8(data: st.DataObject) -> None:
    axes = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True))
    starts = [data.draw(st.integers(-SHAPE[a], SHAPE[a] - 1)) for a in axes]
    steps = [data.draw(st.integers(1, 3)) for _ in axes]
    ends = [
        data.draw(st.sampled_from([2**31, SHAPE[a], s + 1 if s != -1 else 2**62]))
        for a, s in zip(axes, starts, strict=True)
    ]
    signed_axes = [a - 4 if data.draw(st.booleans()) else a for a in axes]
    net = Net()
    y = net.ints("Slice", net.input("x", SHAPE), starts, ends, signed_axes, steps)
    assert_same_floats(net.model(y), net.normal(*SHAPE))
    net = QuantizedNet()
    y = net.keep_ints("Slice", net.uint8_input("x", (2, 60, 5, 4), 3), "part", [0, 10], [2, 50], [0, 1], [1, steps[0]])
    net.dequantize(y, "unused")
    assert_same_integers(net.integer_model(y), net.random_integers(2, 60, 5, 4))


@pytest.mark.parametrize("step", [1, 2])
def test_only_a_slice_with_steps_stays_outside_xnnpack(step: int) -> None:
    net = QuantizedNet()
    y = net.keep_ints("Slice", net.uint8_input("x", (1, 8, 8, 8)), "part", [0, 0], [8, 8], [2, 3], [step, step])
    net.dequantize(y, "unused")
    data = assert_same_integers(net.integer_model(y), net.random_integers(1, 8, 8, 8))
    assert list(outside_xnnpack(data)) == ([] if step == 1 else ["STRIDED_SLICE"])


def test_a_slice_without_axes_and_steps() -> None:
    net = Net()
    y = net.ints("Slice", net.input("x", SHAPE), [0, 1, 1], [2, 5, 4])
    assert_same_floats(net.model(y), net.normal(*SHAPE))


def test_a_slice_backwards_is_refused() -> None:
    net = Net()
    y = net.ints("Slice", net.input("x", SHAPE), [5], [0], [1], [-1])
    with pytest.raises(UnsupportedOpError, match="step is -1"):
        written(net.model(y))


@pytest.mark.parametrize(("value", "builtin"), [(None, "PAD"), (0.0, "PAD"), (1.5, "PADV2")])
def test_float_pad_on_every_axis(value: float | None, builtin: str) -> None:
    net = Net()
    constants = [] if value is None else [net.constant(value, np.float32)]
    pads = net.constant([0, 1, 2, 0, 1, 2, 0, 3], np.int64)
    y = net.op("Pad", [net.input("x", SHAPE), pads, *constants])
    assert operators(assert_same_floats(net.model(y), net.normal(*SHAPE))) == [builtin]


@pytest.mark.parametrize(("value", "builtin"), [(77, "PAD"), (3, "PADV2"), (None, "PADV2")])
def test_int8_pad_is_pad_where_it_pads_with_the_zero_point(value: int | None, builtin: str) -> None:
    net = QuantizedNet()
    constants = [] if value is None else [net.constant(value, np.uint8)]
    x = net.uint8_input("x", SHAPE, 77)
    y = net.keep("Pad", x, "padded", net.constant([0, 2, 1, 0, 0, 4, 1, 3], np.int64), *constants)
    net.dequantize(y, "unused")
    data = assert_same_integers(net.integer_model(y), net.random_integers(*SHAPE))
    assert operators(data) == [builtin]
    assert list(outside_xnnpack(data)) == ([] if builtin == "PAD" else ["PADV2"])


@pytest.mark.parametrize(
    ("shape", "target", "transposes"),
    [
        ((2, 6, 5, 4), (2, 120), 1),
        ((2, 6, 5, 4), (2, 6, 20), 1),
        ((2, 6, 5, 4), (2, 3, 2, 5, 4), 1),
        ((2, 6, 5, 4), (2, 5, 6, 4), 2),
        ((2, 6, 5, 4), (12, 5, 2, 2), 1),
        ((2, 6, 5, 4), (4, 15, 2, 2), 2),
        ((2, 6, 1, 1), (2, 6), 0),
        ((2, 6), (2, 6, 1, 1), 0),
        ((2, 6), (2, 1, 6, 1), 0),
        ((2, 24), (2, 6, 2, 2), 1),
        ((240,), (2, 6, 5, 4), 1),
    ],
)
def test_reshape_keeps_the_values_in_numpys_order(
    shape: tuple[int, ...], target: tuple[int, ...], transposes: int
) -> None:
    net = Net()
    x = net.op("Relu", [net.input("x", shape)])
    y = net.op("Relu", [net.ints("Reshape", x, target)])
    data = assert_same_floats(net.model(y), net.normal(*shape))
    assert operators(data).count("TRANSPOSE") == transposes


def test_int8_reshape_and_flatten_give_the_same_integers() -> None:
    net = QuantizedNet()
    x = net.uint8_input("x", SHAPE, 9)
    y = net.keep_ints("Reshape", x, "shaped", [0, 5, 6, 4])
    z = net.keep("Flatten", y, "flat", axis=1)
    net.dequantize(z, "unused")
    assert_same_integers(net.integer_model(y, z), net.random_integers(*SHAPE))


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)), st.permutations(range(4)))
def test_transposes_of_every_order(first: list[int], second: list[int]) -> None:
    net = Net()
    y = net.op("Transpose", [net.input("x", SHAPE)], perm=first)
    z = net.op("Relu", [net.op("Transpose", [net.op("Relu", [y])], perm=second)])
    assert_same_floats(net.model(y, z), net.normal(*SHAPE))
