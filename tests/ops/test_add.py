"""Add, its scales snapped so that no sum lies on a tie. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from .harness import Net, check
from .seeded import few


def scaled(net: Net, x: str, channels: int, inputs: int, by: float) -> str:
    """A pointwise convolution whose outputs are `by` times the usual."""
    weights = [net.constant(net.normal(channels, inputs, 1, 1) * by), net.constant(net.normal(channels) * by)]
    return net.op("Conv", [x, *(name for name in weights)])


@few(st.floats(-4, 4), st.booleans(), st.booleans(), st.integers(0, 99))
def test_add_of_maps_of_any_two_scales_is_exact(ratio: float, left_relu: bool, out_relu: bool, seed: int) -> None:
    net = Net(seed=seed)
    a, b = scaled(net, net.x, 5, 3, 1.0), scaled(net, net.x, 5, 3, float(np.float32(10**ratio)))
    a = net.op("Relu", [a]) if left_relu else a
    y = net.op("Add", [a, b])
    y = net.op("Relu", [y]) if out_relu else y
    check(net, y, of=[a, b])


def test_the_same_tensor_twice_is_exact() -> None:
    net = Net()
    a = net.signed_map(4)
    check(net, net.op("Add", [a, a]))


def test_the_input_itself_is_added_exactly() -> None:
    net = Net()
    check(net, net.op("Add", [net.x, net.signed_map(3)]))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("shape", [(1, 5, 9, 8), (9, 8), (1, 1, 9, 1)])
def test_a_constant_map_is_added_exactly(shape: tuple[int, ...], first: bool) -> None:
    net = Net()
    a, c = net.signed_map(5), net.constant(net.normal(*shape))
    check(net, net.op("Add", [c, a] if first else [a, c]))


def test_broadcast_over_the_map_is_exact() -> None:
    net = Net()
    a = net.signed_map(5)
    check(net, net.op("Add", [a, net.op("GlobalAveragePool", [net.signed_map(5)])]))


@few(st.integers(2, 5), st.integers(0, 99))
def test_a_chain_of_residual_adds_is_exact(length: int, seed: int) -> None:
    net = Net(seed=seed)
    x = net.op("Relu", [net.signed_map(6)])
    for _ in range(length):
        branch = net.conv(x, (6, 6, 3, 3), pads=[1, 1, 1, 1])
        x = net.op("Relu", [net.op("Add", [x, branch])])
    check(net, x, lsb=4 + 3 * length)


@few(st.sampled_from([0.002, 0.02, 0.1, 10.0, 50.0, 500.0]), st.integers(0, 99))
def test_a_group_whose_scales_cannot_share_a_base_is_split(by: float, seed: int) -> None:
    net = Net(seed=seed)
    a = net.op("Relu", [net.signed_map(4)])
    b = scaled(net, a, 4, 4, by)
    c = net.op("Add", [a, b])
    d = net.op("Add", [scaled(net, c, 4, 4, 1 / by), a])
    check(net, net.op("Add", [d, scaled(net, b, 4, 4, 1 / by)]), lsb=6)


def test_the_split_keeps_the_small_scale_fine() -> None:
    """A small map that is also read by a convolution keeps its resolution: its copy for the Add is requantized."""
    net = Net()
    small, large = scaled(net, net.x, 4, 3, 1.0), scaled(net, net.x, 4, 3, 300.0)
    total = net.op("Relu", [net.op("Add", [small, large])])
    reread = net.conv(small, (4, 4, 1, 1))
    pooled = net.op("Concat", [net.op("GlobalAveragePool", [total]), net.op("GlobalAveragePool", [reread])], axis=1)
    checked = check(net, pooled)
    assert checked.arithmetic().count("Conv") > 3


def test_a_capped_operand_is_added_exactly() -> None:
    net = Net()
    a = net.op("Clip", [net.signed_map(5), net.constant(np.float32(0)), net.constant(np.float32(1.5))])
    check(net, net.op("Add", [a, net.signed_map(5)]))


def test_a_clip_behind_an_add_is_free() -> None:
    net = Net()
    operands = [net.signed_map(5), net.signed_map(5)]
    total = net.op("Add", operands)
    y = net.op("Clip", [total, net.constant(np.float32(0)), net.constant(np.float32(2))])
    check(net, y, of=operands)


def test_vectors_are_added_exactly() -> None:
    net = Net((3, 3, 4, 5))
    flat = net.op("Flatten", [net.x])
    check(net, net.op("Add", [net.gemm(flat, 40, 60), net.gemm(flat, 40, 60)]))


@pytest.mark.parametrize("first_relu", [False, True])
def test_sub_is_an_add_of_the_negative(first_relu: bool) -> None:
    net = Net()
    a, b = net.signed_map(5), net.signed_map(5)
    a = net.op("Relu", [a]) if first_relu else a
    assert check(net, net.op("Sub", [a, b])).ops().count("Add") == 1


@pytest.mark.parametrize("first", [False, True])
def test_sub_of_a_constant_map_is_exact(first: bool) -> None:
    net = Net()
    a, c = net.signed_map(5), net.constant(net.normal(9, 8))
    check(net, net.op("Sub", [c, a] if first else [a, c]))
