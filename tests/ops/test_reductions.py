"""Reductions over the map or the channels: rewritten. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.errors import UnsupportedOpError

from .harness import Net, check


def reduced(net: Net, op: str, x: str, axes: list[int], keepdims: int) -> str:
    return net.op(op, [x, net.constant(np.array(axes, np.int64))], keepdims=keepdims)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("op", ["ReduceMax", "ReduceSum"])
def test_over_the_map_it_is_exact(op: str, keepdims: int) -> None:
    net = Net((9, 3, 4, 5))
    check(net, reduced(net, op, net.signed_map(5), [-1, 2], keepdims))


def test_a_global_max_pool_is_exact() -> None:
    net = Net((9, 3, 4, 5))
    checked = check(net, net.op("GlobalMaxPool", [net.signed_map(5)]))
    assert checked.ops() == ["Conv", "MaxPool"]


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("op", ["ReduceMean", "ReduceSum"])
def test_over_the_channels_it_is_exact(op: str, keepdims: int) -> None:
    net = Net()
    y = reduced(net, op, net.op("Relu", [net.signed_map(5)]), [1], keepdims)
    checked = check(net, y)
    assert checked.ops()[:2] == ["Conv", "Relu"]


@pytest.mark.parametrize(("op", "axes"), [("ReduceMax", [1]), ("ReduceMean", [2]), ("ReduceSum", [1, 2])])
def test_another_reduction_is_refused(op: str, axes: list[int]) -> None:
    net = Net()
    with pytest.raises(UnsupportedOpError, match=op):
        check(net, reduced(net, op, net.signed_map(5), axes, 1))
