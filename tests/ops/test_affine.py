"""Mul, Add, Sub and Div by a constant per channel: folded, else a depthwise convolution. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.errors import UnsupportedOpError

from .harness import Net, check

CASES = [(op, shape) for op in ("Mul", "Add", "Sub", "Div") for shape in ((), (1,), (5, 1, 1), (1, 5, 1, 1))]


def values(net: Net, shape: tuple[int, ...]) -> str:
    array = net.rng.uniform(0.4, 2, shape) * net.rng.choice([-1, 1], shape)
    return net.constant(array.astype(np.float32))


@pytest.mark.parametrize(("op", "shape"), CASES)
@pytest.mark.parametrize("constant_first", [False, True])
def test_behind_a_conv_it_is_folded(op: str, shape: tuple[int, ...], constant_first: bool) -> None:
    net = Net()
    x, c = net.raw_conv(net.x, (5, 3, 3, 3)), values(net, shape)
    y = net.op(op, [c, x] if constant_first else [x, c])
    if op == "Div" and constant_first:  # a reciprocal is not affine
        with pytest.raises(UnsupportedOpError, match="Div"):
            check(net, y)
        return
    assert check(net, y).ops() == ["Conv"]


@pytest.mark.parametrize(("op", "shape"), CASES)
def test_behind_a_relu_it_is_a_depthwise_conv(op: str, shape: tuple[int, ...]) -> None:
    net = Net()
    x = net.op("Relu", [net.signed_map(5)])
    assert check(net, net.op(op, [x, values(net, shape)])).ops() == ["Conv", "Relu", "Conv"]


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub", "Div"])
@pytest.mark.parametrize("shape", [(), (20,), (1, 20)])
def test_behind_a_gemm_it_is_folded(op: str, shape: tuple[int, ...]) -> None:
    net = Net((3, 3, 4, 5))
    x = net.gemm(net.op("Flatten", [net.x]), 20, 60)
    assert check(net, net.op(op, [x, values(net, shape)])).ops() == ["Flatten", "Gemm"]


def test_normalization_inside_the_network_is_exact() -> None:
    """(x - mean) / std as the first two nodes."""
    net = Net()
    x = net.op("Sub", [net.x, values(net, (3, 1, 1))])
    x = net.op("Div", [x, values(net, (3, 1, 1))])
    check(net, net.conv(x, (5, 3, 3, 3)), lsb=5)


@pytest.mark.parametrize("op", ["Mul", "Add", "Sub", "Div"])
def test_on_vectors_behind_a_relu_it_is_exact(op: str) -> None:
    net = Net((3, 3, 4, 5))
    x = net.op("Relu", [net.gemm(net.op("Flatten", [net.x]), 20, 60)])
    check(net, net.op(op, [x, values(net, (20,))]), lsb=6)
