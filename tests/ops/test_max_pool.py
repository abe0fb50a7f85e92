"""MaxPool. Bound: 0.

LiteRT's interpreter pads by itself where values lie below the zero point (PADV2), and pools where a stride exceeds the
kernel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError
from edgegap.tflite.ops.pad import Window

from .harness import Net, check
from .seeded import few

windows = st.fixed_dictionaries(
    {
        "kernel_shape": st.lists(st.integers(2, 4), min_size=2, max_size=2),
        "strides": st.lists(st.integers(1, 3), min_size=2, max_size=2),
    },
    optional={"pads": st.lists(st.integers(0, 1), min_size=4, max_size=4), "ceil_mode": st.integers(0, 1)},
)


@few(windows, st.tuples(st.integers(6, 11), st.integers(6, 11)), st.integers(17, 20))
def test_max_pool_behind_a_relu_is_exact(window, size, opset: int) -> None:
    net = Net((2, 3, *size))
    y = net.op("MaxPool", [net.op("Relu", [net.signed_map(5)])], **window)
    with contextlib.suppress(*[UnsupportedOpError] * window.get("ceil_mode", 0)):
        # a window in the padding alone is refused
        check(net, y, opset=opset, outside=skipping(window["kernel_shape"], window["strides"]))


def skipping(kernel: Sequence[int], strides: Sequence[int]) -> list[str]:
    """XNNPACK takes no pool whose windows leave rows out between them."""
    return ["MAX_POOL_2D"] if any(s > k for s, k in zip(strides, kernel, strict=True)) else []


def test_a_window_in_the_padding_alone_is_refused_with_a_way_out() -> None:
    """ONNX's shape inference counts it, ONNX Runtime does not."""
    net = Net((2, 3, 6, 6))
    y = net.op("MaxPool", [net.x], kernel_shape=[2, 2], strides=[2, 1], pads=[0, 0, 1, 0], ceil_mode=1)
    with pytest.raises(UnsupportedOpError, match="wholly in the padding"):
        check(net, y)


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 0, 1]])
@few(kernel=st.tuples(st.integers(2, 4), st.integers(2, 4)), stride=st.integers(1, 3))
def test_max_pool_of_signed_values_is_exact(pads: list[int], kernel, stride: int) -> None:
    net = Net((2, 3, 12, 12))
    y = net.op("MaxPool", [net.signed_map(5)], kernel_shape=kernel, strides=[stride, stride], pads=pads)
    same = Window(kernel, (stride, stride), (1, 1), tuple(pads)).padding(12, 12) is not None
    check(net, y, outside=[*skipping(kernel, (stride, stride)), *([] if same else ["PADV2"])])


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@few(kernel=st.tuples(st.integers(3, 4), st.integers(3, 4)), strides=st.tuples(st.integers(1, 3), st.integers(1, 3)))
def test_auto_pad_is_what_onnx_says(mode: str, kernel, strides) -> None:
    net = Net((1, 4, 12, 9))
    y = net.op("MaxPool", [net.op("Relu", [net.signed_map(5)])], kernel_shape=kernel, strides=strides, auto_pad=mode)
    check(net, y)


def test_max_pool_of_the_input_pads_below_every_pixel() -> None:
    net = Net()
    y = net.op("MaxPool", [net.x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0])
    check(net, net.conv(y, (4, 3, 1, 1)), outside=["PADV2"])


def test_a_relu_behind_a_max_pool_is_exact() -> None:
    net = Net()
    pooled = net.op("MaxPool", [net.signed_map(5)], kernel_shape=[2, 2], strides=[2, 2])
    check(net, net.op("Relu", [pooled]))
