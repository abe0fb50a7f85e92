"""Conv with one input channel per group. Bound: 0."""

from __future__ import annotations

from hypothesis import strategies as st
from tflite.runtimes import operators

from .harness import Net, check
from .seeded import few


@few(
    st.integers(2, 5),
    st.integers(1, 2),
    st.tuples(st.integers(1, 5), st.integers(1, 3)),
    st.lists(st.integers(1, 2), min_size=2, max_size=2),
    st.lists(st.integers(0, 2), min_size=4, max_size=4),
    st.integers(1, 2),
)
def test_depthwise_conv_is_exact(channels: int, multiplier: int, kernel, strides, pads, dilation: int) -> None:
    net = Net((2, channels, 11, 10))
    y = net.raw_conv(
        net.x,
        (channels * multiplier, 1, *kernel),
        group=channels,
        strides=strides,
        pads=pads,
        dilations=[dilation, dilation],
    )
    checked = check(net, y)
    assert operators(checked.int8_file)[-1] == "DEPTHWISE_CONV_2D"


def test_multiplier_2_on_a_single_channel_is_exact() -> None:
    net = Net((2, 1, 8, 8))
    check(net, net.conv(net.x, (2, 1, 3, 3)))


def test_a_separable_block_is_exact() -> None:
    net = Net((2, 3, 10, 10))
    x = net.op("Relu", [net.conv(net.x, (6, 3, 1, 1))])
    x = net.op("Relu", [net.conv(x, (6, 1, 3, 3), group=6, pads=[1, 1, 1, 1])])
    check(net, net.conv(x, (4, 6, 1, 1)), lsb=5)
