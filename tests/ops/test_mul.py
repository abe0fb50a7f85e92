"""Mul. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from .harness import Net, check
from .seeded import few


@few(st.booleans(), st.booleans(), st.integers(1, 4), st.integers(0, 99))
def test_mul_of_two_maps_is_exact(left_relu: bool, out_relu: bool, kernel: int, seed: int) -> None:
    net = Net(seed=seed)
    a, b = net.conv(net.x, (5, 3, kernel, kernel)), net.conv(net.x, (5, 3, kernel, kernel))
    a = net.op("Relu", [a]) if left_relu else a
    y = net.op("Mul", [a, b])
    check(net, net.op("Relu", [y]) if out_relu else y, of=[y])


@pytest.mark.parametrize("gate_first", [False, True])
@few(channels=st.integers(2, 7))
def test_a_gate_per_channel_is_exact(gate_first: bool, channels: int) -> None:
    """Squeeze-and-excitation: [N, C, H, W] times [N, C, 1, 1]."""
    net = Net()
    x = net.op("Relu", [net.signed_map(channels)])
    gate = net.op("GlobalAveragePool", [x])
    ends = [net.constant(np.float32(end)) for end in (-4, 4)]
    gate = net.op("Clip", [net.conv(gate, (channels, channels, 1, 1)), *ends])
    check(net, net.op("Mul", [gate, x] if gate_first else [x, gate]), of=[x])


def test_the_square_of_a_map_is_exact() -> None:
    net = Net()
    a = net.signed_map(4)
    check(net, net.op("Mul", [a, a]))


@pytest.mark.parametrize("shape", [(1, 5, 9, 8), (9, 8), (1, 1, 9, 8), (1, 1, 1, 8), (2, 5, 9, 8)])
def test_a_constant_map_is_exact(shape: tuple[int, ...]) -> None:
    net = Net()
    check(net, net.op("Mul", [net.signed_map(5), net.constant(net.normal(*shape))]))


def test_the_input_times_a_map_is_exact() -> None:
    net = Net()
    check(net, net.op("Mul", [net.x, net.signed_map(3)]))


def test_vectors_are_multiplied_exactly() -> None:
    net = Net((3, 3, 4, 5))
    flat = net.op("Flatten", [net.x])
    check(net, net.op("Mul", [net.gemm(flat, 40, 60), net.gemm(flat, 40, 60)]))
