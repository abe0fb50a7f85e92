"""Convolutions of one dimension, inside networks of images. Bound: 0."""

from __future__ import annotations

from typing import Any

import pytest

from edgegap.errors import UnsupportedOpError

from .harness import Net, check


def attended(net: Net, x: str, channels: int, *, expand: bool = False) -> str:
    """Efficient channel attention (Wang et al., 2020): a convolution along the channels of the average."""
    rows = net.ints("Reshape", net.op("GlobalAveragePool", [x]), [0, 1, channels])
    row = net.op("Conv", [rows, net.constant(net.normal(1, 1, 3))], pads=[1, 1])
    gate = net.ints("Reshape", net.op("Sigmoid", [row]), [0, channels, 1, 1])
    if expand:
        gate = net.ints("Expand", gate, [net.shape[0], channels, *net.shape[2:]])
    return net.op("Mul", [x, gate])


@pytest.mark.parametrize("expand", [False, True])
def test_a_convolution_along_the_channels_is_exact(expand: bool) -> None:
    net = Net((6, 3, 9, 8))
    checked = check(net, attended(net, net.signed_map(6), 6, expand=expand), lsb=8)
    assert "Expand" not in checked.ops()


@pytest.mark.parametrize(
    "attributes",
    [{}, {"strides": [2]}, {"pads": [2, 0], "dilations": [2]}, {"auto_pad": "SAME_UPPER", "strides": [2]}],
)
@pytest.mark.parametrize("group", [1, 2])
def test_every_window_is_exact(attributes: dict[str, Any], group: int) -> None:
    net = Net((2, 3, 6, 7))
    rows = net.ints("Reshape", net.signed_map(4), [0, 4, 42])
    inputs = [rows, net.constant(net.normal(6, 4 // group, 5)), net.constant(net.normal(6))]
    check(net, net.op("Conv", inputs, group=group, **attributes))


def test_an_expanded_value_that_a_concat_reads_is_refused_naming_it() -> None:
    net = Net()
    x = net.signed_map(4)
    wide = net.ints("Expand", net.op("GlobalAveragePool", [x]), [2, 4, 9, 8])
    with pytest.raises(UnsupportedOpError, match="Expand"):
        check(net, net.op("Concat", [x, wide], axis=1))
