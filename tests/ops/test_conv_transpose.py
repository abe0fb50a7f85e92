"""ConvTranspose, as a Conv of all phases. Bound: 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError

from .harness import Net, check
from .seeded import few


def transposed(net: Net, x: str, shape: tuple[int, ...], *, bias: bool = True, **attributes: Any) -> str:
    outputs = shape[1] * attributes.get("group", 1)
    parameters = [net.normal(*shape), net.normal(outputs)][: 1 + bias]
    return net.op("ConvTranspose", [x, *map(net.constant, parameters)], **attributes)


@few(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(*[st.integers(0, 3)] * 4),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.sampled_from([1, 2, 4]),
)
def test_of_any_kernel_stride_and_padding_it_is_exact(kernel, strides, pads, more, groups: int) -> None:
    assume(all(more[k] < strides[k] for k in (0, 1)))
    sizes = [strides[k] * ((5, 4)[k] - 1) + more[k] + kernel[k] - pads[k] - pads[k + 2] for k in (0, 1)]
    assume(min(sizes) > 0)
    net = Net((2, 3, 5, 4))
    y = transposed(
        net,
        net.op("Relu", [net.signed_map(4)]),
        (4, 8 // groups, *kernel),
        group=groups,
        strides=list(strides),
        pads=list(pads),
        output_padding=list(more),
    )
    check(net, y, lsb=6)


@pytest.mark.parametrize(("kernel", "pad"), [(2, 0), (4, 1), (3, 1)])
def test_the_usual_upsampling_costs_one_conv(kernel: int, pad: int) -> None:
    net = Net((2, 3, 5, 4))
    attributes = {"strides": [2, 2], "pads": [pad] * 4, "output_padding": [kernel % 2] * 2}
    y = transposed(net, net.signed_map(4), (4, 6, kernel, kernel), bias=False, **attributes)
    checked = check(net, net.op("Relu", [y]))
    assert checked.arithmetic().count("Conv") == 2


def test_batch_norm_and_relu_behind_it_are_taken_in() -> None:
    net = Net((2, 3, 5, 4))
    y = transposed(net, net.signed_map(4), (4, 6, 2, 2), strides=[2, 2])
    statistics = [net.normal(6), net.normal(6), net.normal(6), np.abs(net.normal(6)) + 0.5]
    y = net.op("Relu", [net.op("BatchNormalization", [y, *map(net.constant, statistics)])])
    checked = check(net, net.conv(y, (4, 6, 1, 1)))
    assert checked.arithmetic() == ["Conv", "Conv", "Reshape", "Transpose", "Reshape", "Conv"]


def test_what_else_reads_it_sees_it_before_the_relu() -> None:
    net = Net((2, 3, 5, 4))
    y = transposed(net, net.signed_map(4), (4, 6, 2, 2), strides=[2, 2])
    check(net, net.op("Add", [net.op("Relu", [y]), y]))


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"dilations": [2, 2]}, "it is dilated"),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, "its padding is not written out"),
    ],
)
def test_what_is_left_out_is_refused_with_a_way_out(attributes: dict[str, Any], what: str) -> None:
    net = Net((2, 3, 5, 4))
    with pytest.raises(UnsupportedOpError, match=what) as refused:
        check(net, transposed(net, net.signed_map(4), (4, 6, 3, 3), **attributes))
    assert refused.value.hint


def test_of_a_line_it_is_exact() -> None:
    net = Net((2, 3, 5, 4))
    x = net.ints("Reshape", net.signed_map(4), [2, 4, 20])
    check(net, transposed(net, x, (4, 6, 3)))


def test_three_dimensions_are_refused_with_a_way_out() -> None:
    net = Net((2, 3, 5, 4))
    x = net.ints("Reshape", net.signed_map(4), [2, 4, 5, 2, 2])
    with pytest.raises(UnsupportedOpError, match="3 dimensions"):
        check(net, transposed(net, x, (4, 6, 3, 3, 3)))
