"""DepthToSpace and SpaceToDepth. Bound: 0."""

from __future__ import annotations

import pytest

from .harness import Net, check


@pytest.mark.parametrize("mode", ["CRD", "DCR"])
@pytest.mark.parametrize("block", [2, 3])
def test_depth_to_space_is_exact(mode: str, block: int) -> None:
    net = Net((2, 3, 5, 4))
    x = net.op("Relu", [net.signed_map(2 * block**2)])
    y = net.op("DepthToSpace", [x], blocksize=block, mode=mode)
    checked = check(net, net.conv(y, (4, 2, 3, 3)))
    assert checked.ops() == ["Conv", "Relu", "Reshape", "Transpose", "Reshape", "Conv"]


def test_without_a_mode_it_is_dcr_and_may_end_the_network() -> None:
    net = Net((2, 3, 5, 4))
    check(net, net.op("DepthToSpace", [net.signed_map(12)], blocksize=2))


@pytest.mark.parametrize("block", [2, 3])
def test_space_to_depth_is_exact(block: int) -> None:
    net = Net((2, 3, 12, 6))
    x = net.op("Relu", [net.signed_map(4)])
    y = net.op("SpaceToDepth", [x], blocksize=block)
    check(net, net.conv(y, (4, 4 * block**2, 1, 1)), lsb=6)


def test_of_the_input_it_is_exact() -> None:
    net = Net((2, 3, 8, 6))
    y = net.op("SpaceToDepth", [net.x], blocksize=2)
    check(net, net.conv(y, (5, 12, 3, 3)))


def test_there_and_back_is_exact() -> None:
    net = Net((2, 3, 8, 6))
    y = net.op("SpaceToDepth", [net.signed_map(4)], blocksize=2)
    y = net.op("DepthToSpace", [net.op("Relu", [y])], blocksize=2, mode="DCR")
    check(net, y)
