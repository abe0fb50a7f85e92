"""Conv with groups of several channels. Bound: 0."""

from __future__ import annotations

from hypothesis import strategies as st
from tflite.runtimes import operators

from .harness import Net, check
from .seeded import few


@few(st.sampled_from([2, 3, 4]), st.integers(2, 3), st.integers(2, 3), st.integers(1, 2), st.booleans())
def test_grouped_conv_is_exact(groups: int, inputs: int, outputs: int, stride: int, bias: bool) -> None:
    net = Net((2, groups * inputs, 9, 8))
    y = net.raw_conv(
        net.x, (groups * outputs, inputs, 3, 3), bias=bias, group=groups, strides=[stride, stride], pads=[1, 0, 1, 1]
    )
    checked = check(net, y)
    assert operators(checked.int8_file)[-1] == "CONV_2D"


def test_groups_behind_groups_are_exact() -> None:
    net = Net((2, 4, 8, 8))
    x = net.op("Relu", [net.conv(net.x, (8, 2, 1, 1), group=2)])
    check(net, net.conv(x, (12, 2, 3, 3), group=4))
