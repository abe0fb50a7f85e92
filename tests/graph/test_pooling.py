"""Pools with their padding written out, and global average pooling in every spelling."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError
from edgegap.graph.nodes import attribute
from edgegap.graph.pooling import normalize_pools, recognize_global_average_pool

from .models import ints, only, ops, passed, ready

SPELLINGS = [
    "y = ReduceMean<keepdims=0>(x, hw)",
    "y = ReduceMean<keepdims=1>(x, hw)",
    "y = ReduceMean(x, hw)",
    "y = ReduceMean<keepdims=0>(x, minus)",
    "y = ReduceMean<keepdims=0>(x, swapped)",
    "y = AveragePool<kernel_shape=[6,6]>(x)",
    "y = AveragePool<kernel_shape=[6,6], strides=[6,6], count_include_pad=1>(x)",
    "a = ReduceMean<keepdims=0>(x, h) y = ReduceMean<keepdims=0>(a, h)",
    "a = ReduceMean<keepdims=0>(x, last) y = ReduceMean<keepdims=0>(a, last)",
    "a = ReduceMean<keepdims=1>(x, w) y = ReduceMean<keepdims=1>(a, h)",
    "a = ReduceMean<keepdims=1>(x, h) y = ReduceMean<keepdims=0>(a, hw)",
    "a = ReduceMean<keepdims=1>(x, h) y = ReduceMean<keepdims=0>(a, w)",
    "a = Reshape(x, positions) y = ReduceMean<keepdims=0>(a, last)",
    "a = Reshape(x, positions) y = ReduceMean<keepdims=1>(a, last)",
]
AXES = {
    "hw": ints(2, 3), "minus": ints(-2, -1), "swapped": ints(-1, 2), "h": ints(2), "w": ints(3), "last": ints(-1),
    "positions": ints(0, 4, -1), "n": ints(0), "c": ints(1), "channels": ints(0, -1, 36), "wide": ints(2, 1, 4, 36),
}  # fmt: skip


@pytest.mark.parametrize("body", SPELLINGS)
def test_every_spelling_is_a_global_average_pool(body: str) -> None:
    model = passed(recognize_global_average_pool, ready(body, **AXES))
    assert ops(model) in (["GlobalAveragePool"], ["GlobalAveragePool", "Reshape"])


@pytest.mark.parametrize("body", SPELLINGS)
def test_every_spelling_is_recognized_inside_a_network(body: str) -> None:
    body = f"r = Relu(x) {body.replace('(x', '(r').replace('y =', 'm =')} y = Neg(m)"
    assert "GlobalAveragePool" in ops(passed(recognize_global_average_pool, ready(body, **AXES)))


def test_the_axes_may_be_an_attribute_as_before_opset_18() -> None:
    model = ready("y = ReduceMean<axes=[-1,-2], keepdims=0>(x)", opset=17)
    assert ops(passed(recognize_global_average_pool, model)) == ["GlobalAveragePool", "Reshape"]


@pytest.mark.parametrize(
    "body",
    [
        "y = ReduceMean(x)",
        "y = ReduceMean(x, h)",
        "y = ReduceMean(x, c)",
        "a = ReduceMean<keepdims=0>(x, c) y = ReduceMean<keepdims=0>(a, h)",
        "a = ReduceMean<keepdims=1>(x, h) y = ReduceMean<keepdims=1>(a, h)",
        "a = ReduceMean<keepdims=0>(x, h) y = ReduceMean<keepdims=0>(a, c)",
        "a = Reshape(x, positions) y = ReduceMean<keepdims=0>(a, c)",
        "a = Reshape(x, channels) y = ReduceMax<keepdims=0>(a, last)",
        "y = GlobalAveragePool(x)",
        "y = AveragePool<kernel_shape=[6,6], pads=[1,1,1,1]>(x)",
        "y = AveragePool<kernel_shape=[5,6]>(x)",
        "y = MaxPool<kernel_shape=[6,6]>(x)",
    ],
)
def test_what_does_not_average_whole_maps_stays(body: str) -> None:
    passed(recognize_global_average_pool, ready(body, **AXES), changes=False)


def test_the_map_that_others_read_stays_for_them() -> None:
    body = "a = ReduceMean<keepdims=1>(x, h) b = ReduceMean<keepdims=1>(a, w) y = Add(a, b)"
    model = passed(recognize_global_average_pool, ready(body, **AXES))
    assert ops(model) == ["ReduceMean", "GlobalAveragePool", "Add"]


windows = st.fixed_dictionaries(
    {
        "kernel_shape": st.lists(st.integers(2, 4), min_size=2, max_size=2),
        "strides": st.lists(st.integers(1, 3), min_size=2, max_size=2),
        "pads": st.lists(st.integers(0, 1), min_size=4, max_size=4),
    }
)


def spelled(pool: str, window: dict[str, list[int]], more: str = "") -> str:
    return f"y = {pool}<{', '.join(f'{k}={v}' for k, v in window.items())}{more}>(x)"


def every_window_sees_a_pixel(window: dict[str, list[int]], size: tuple[int, int]) -> bool:
    kernel, strides, pads = window["kernel_shape"], window["strides"], window["pads"]
    last = [-(-(size[d] + pads[d] + pads[d + 2] - kernel[d]) // strides[d]) * strides[d] - pads[d] for d in range(2)]
    return all(start < end for start, end in zip(last, size, strict=True))


@settings(max_examples=60, deadline=None)
@given(windows, st.tuples(st.integers(5, 9), st.integers(5, 9)), st.booleans())
def test_an_average_pool_counts_its_padding(window, size: tuple[int, int], is_ceil: bool) -> None:
    assume(not is_ceil or every_window_sees_a_pixel(window, size))
    body = spelled("AveragePool", window, f", ceil_mode={int(is_ceil)}")
    model = passed(normalize_pools, ready(body, x=f"float[1,4,{size[0]},{size[1]}]"))
    assert attribute(only(model, "AveragePool"), "count_include_pad") == 1
    assert not attribute(only(model, "AveragePool"), "ceil_mode", 0)


@settings(max_examples=60, deadline=None)
@given(windows, st.tuples(st.integers(5, 9), st.integers(5, 9)), st.sampled_from(["MaxPool", "AveragePool"]))
def test_ceil_mode_is_explicit_padding(window, size: tuple[int, int], pool: str) -> None:
    assume(every_window_sees_a_pixel(window, size))
    more = ", ceil_mode=1" + (", count_include_pad=1" if pool == "AveragePool" else "")
    model = passed(normalize_pools, ready(spelled(pool, window, more), x=f"float[1,4,{size[0]},{size[1]}]"))
    assert attribute(only(model, pool), "ceil_mode") == 0


@pytest.mark.parametrize("pool", ["MaxPool", "AveragePool"])
def test_a_window_of_ceil_mode_that_sees_no_pixel_is_refused(pool: str) -> None:
    body = f"y = {pool}<kernel_shape=[2,2], strides=[2,2], pads=[1,1,1,1], ceil_mode=1>(x)"
    with pytest.raises(UnsupportedOpError, match="wholly in the padding"):
        normalize_pools(ready(body, x="float[1,4,5,5]"))


def test_without_padding_no_count_is_needed() -> None:
    assert ops(passed(normalize_pools, ready("y = AveragePool<kernel_shape=[3,3]>(x)"))) == ["AveragePool"]


@pytest.mark.parametrize("body", ["y = {}", "p = {} y = Relu(p)", "p = {} q = Relu(p) y = Add(p, q)"])
def test_the_count_of_the_pixels_reaches_every_reader(body: str) -> None:
    pool = "AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)"
    assert ops(passed(normalize_pools, ready(body.format(pool))))[:2] == ["AveragePool", "Mul"]


@pytest.mark.parametrize(
    "body",
    [
        "y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1>(x)",
        "y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)",
    ],
)
def test_a_canonical_pool_stays(body: str) -> None:
    passed(normalize_pools, ready(body), changes=False)


@pytest.mark.parametrize(
    "node", ["y = MaxPool<kernel_shape=[2,2], dilations=[2,2]>(x)", "y, i = MaxPool<kernel_shape=[2,2]>(x)"]
)
def test_dilation_and_indices_are_refused(node: str) -> None:
    with pytest.raises(UnsupportedOpError, match="dilation or indices") as caught:
        normalize_pools(ready(node))
    assert caught.value.where == "MaxPool node 'make_y' (module at.y)"
