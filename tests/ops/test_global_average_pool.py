"""GlobalAveragePool and ReduceMean over the map, the output's scale snapped so that no sum lies on a tie. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from .harness import Net, check
from .seeded import few


@few(st.integers(1, 16), st.integers(1, 16), st.booleans(), st.integers(0, 99))
def test_the_average_of_maps_of_any_size_is_exact(height: int, width: int, has_relu: bool, seed: int) -> None:
    net = Net((3, 3, height, width), seed=seed)
    x = net.signed_map(24)
    x = net.op("Relu", [x]) if has_relu else x
    check(net, net.op("GlobalAveragePool", [x]))


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[2, 3], [-1, -2], [3, 2], [-2, -1]])
@pytest.mark.parametrize("opset", [17, 18, 20])
def test_every_spelling_is_recognized(keepdims: int, axes: list[int], opset: int) -> None:
    net = Net((2, 3, 7, 5))
    x = net.op("Relu", [net.signed_map(9)])
    if opset < 18:
        y = net.op("ReduceMean", [x], axes=axes, keepdims=keepdims)
    else:
        y = net.op("ReduceMean", [x, net.constant(axes, np.int64)], keepdims=keepdims)
    ops = check(net, y, opset=opset).ops()
    assert ops == ["Conv", "Relu", "GlobalAveragePool", *([] if keepdims else ["Flatten"])]


def test_axes_behind_a_constant_node_are_recognized() -> None:
    net = Net((2, 3, 7, 5))
    axes = net.op("Constant", [], value_ints=[-1, -2])
    y = net.op("ReduceMean", [net.signed_map(9), axes], keepdims=0)
    assert "GlobalAveragePool" in check(net, y).ops()


@pytest.mark.parametrize("tail", ["Flatten", "Reshape", "Squeeze"])
def test_the_logits_behind_an_average_are_exact(tail: str) -> None:
    net = Net((2, 3, 8, 8))
    y = net.op("GlobalAveragePool", [net.op("Relu", [net.signed_map(10)])])
    more = {"Flatten": [], "Reshape": [[0, -1]], "Squeeze": [[2, 3]]}[tail]
    y = net.ints(tail, y, *more)
    check(net, net.gemm(y, 7, 10), lsb=5)


def test_the_average_of_the_input_is_exact() -> None:
    net = Net((4, 3, 8, 8))
    check(net, net.op("GlobalAveragePool", [net.x]))


def test_a_relu_behind_an_average_is_exact() -> None:
    net = Net((2, 3, 8, 8))
    check(net, net.op("Relu", [net.op("GlobalAveragePool", [net.signed_map(16)])]))


def test_an_average_that_two_layers_read_is_exact() -> None:
    net = Net((2, 3, 8, 8))
    x = net.op("GlobalAveragePool", [net.signed_map(16)])
    y = net.op("Add", [net.conv(x, (8, 16, 1, 1)), net.op("Relu", [net.conv(x, (8, 16, 1, 1))])])
    check(net, y, lsb=6)


def test_averages_are_added_exactly() -> None:
    net = Net((2, 3, 8, 8))
    check(net, net.op("Add", [net.op("GlobalAveragePool", [net.signed_map(16)]) for _ in range(2)]))


def test_an_average_times_a_constant_is_exact() -> None:
    net = Net((2, 3, 8, 8))
    y = net.op("Mul", [net.op("GlobalAveragePool", [net.signed_map(16)]), net.constant(np.float32(0.3))])
    check(net, y)
