"""Pad by a constant. Bound: 0. Padding that is not zero runs outside XNNPACK (PADV2)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError

from .harness import Net, check
from .seeded import few


@few(st.lists(st.integers(0, 2), min_size=6, max_size=6), st.booleans(), st.integers(17, 20))
def test_padding_of_map_and_channels_is_exact(pads, has_relu: bool, opset: int) -> None:
    net = Net()
    x = net.signed_map(4)
    x = net.op("Relu", [x]) if has_relu else x
    full = [0, *pads[:3], 0, *pads[3:]]
    check(net, net.ints("Pad", x, full), opset=opset)


@pytest.mark.parametrize("axes", [[2, 3], [-1, -2], [1], [-3, 3]])
def test_padding_of_some_axes_is_exact(axes: list[int]) -> None:
    net = Net()
    pads = net.constant(list(range(1, 1 + 2 * len(axes))), np.int64)
    inputs = [net.signed_map(4), pads, "", net.constant(axes, np.int64)]
    check(net, net.op("Pad", inputs))


def test_padding_of_the_input_is_exact() -> None:
    net = Net()
    pooled = net.op("MaxPool", [net.ints("Pad", net.x, [0, 1, 1, 2, 0, 0, 0, 1])], kernel_shape=[2, 2])
    check(net, net.conv(pooled, (5, 4, 3, 3)))


def test_padding_by_a_value_on_the_grid_is_exact() -> None:
    net = Net()
    inputs = [net.signed_map(4), net.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64), net.constant(np.float32(-1))]
    check(net, net.op("Pad", inputs), outside=["PADV2"])


def test_the_channel_padding_of_a_resnet_shortcut_is_exact() -> None:
    net = Net((2, 3, 8, 8))
    x = net.op("Relu", [net.signed_map(4)])
    starts, ends, axes, steps = [0, 0], [8, 8], [2, 3], [2, 2]
    shortcut = net.ints("Pad", net.ints("Slice", x, starts, ends, axes, steps), [0, 2, 0, 0, 0, 2, 0, 0])
    branch = net.conv(x, (8, 4, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1])
    check(net, net.op("Relu", [net.op("Add", [branch, shortcut])]))


def test_another_mode_is_refused_with_a_way_out() -> None:
    net = Net()
    y = net.op("Pad", [net.signed_map(4), net.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)], mode="wrap")
    with pytest.raises(UnsupportedOpError, match="wrap"):
        check(net, y, opset=19)


def test_negative_padding_is_refused_with_a_way_out() -> None:
    net = Net()
    with pytest.raises(UnsupportedOpError, match="negative"):
        check(net, net.ints("Pad", net.signed_map(4), [0, 0, -1, 0, 0, 0, 0, 0]))


@pytest.mark.parametrize("mode", ["reflect", "edge"])
@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (3, 0, 2, 1), (0, 2, 0, 0)])
def test_a_pad_by_reflection_or_the_edge_is_exact(mode: str, pads: tuple[int, int, int, int]) -> None:
    net = Net()
    top, left, bottom, right = pads
    widths = net.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
    y = net.op("Pad", [net.signed_map(4), widths], mode=mode)
    outside = ["CONCATENATION"] if pads == (3, 0, 2, 1) else []  # of six parts: XNNPACK takes five
    check(net, net.conv(y, (5, 4, 3, 3)), outside=outside)


def test_a_reflection_over_some_axes_and_of_the_input_is_exact() -> None:
    net = Net()
    inputs = [net.x, net.constant(np.array([2, 1], np.int64)), "", net.constant(np.array([3], np.int64))]
    checked = check(net, net.conv(net.op("Pad", inputs, mode="reflect"), (5, 3, 3, 3)))
    assert checked.arithmetic().count("Conv") == 1, "rows of one value need no requantize"


def test_a_reflection_wider_than_the_map_is_refused() -> None:
    net = Net()
    widths = net.constant(np.array([0, 0, 9, 0, 0, 0, 0, 0], np.int64))
    with pytest.raises(UnsupportedOpError, match="mirrors 9 of 9 rows"):
        check(net, net.op("Pad", [net.signed_map(4), widths], mode="reflect"))
