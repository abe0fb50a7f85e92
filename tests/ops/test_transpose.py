"""Transpose: gone where it cancels, a layout elsewhere. Bound: 0."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from tflite.runtimes import operators

from .harness import Net, check
from .seeded import few


def test_a_pair_that_cancels_is_gone() -> None:
    net = Net()
    x = net.op("Transpose", [net.signed_map(4)], perm=[0, 2, 3, 1])
    y = net.conv(net.op("Transpose", [x], perm=[0, 3, 1, 2]), (5, 4, 3, 3))
    assert check(net, y).ops() == ["Conv", "Conv"]


def test_a_pair_with_a_relu_between_costs_nothing_in_tflite() -> None:
    net = Net()
    x = net.op("Transpose", [net.signed_map(4)], perm=[0, 2, 3, 1])
    y = net.conv(net.op("Transpose", [net.op("Relu", [x])], perm=[0, 3, 1, 2]), (5, 4, 3, 3))
    checked = check(net, y)
    assert "TRANSPOSE" not in operators(checked.float_file)


@few(st.permutations([1, 2, 3]))
def test_any_transpose_of_a_map_is_exact(perm) -> None:
    net = Net((2, 3, 6, 5))
    check(net, net.op("Transpose", [net.signed_map(4)], perm=[0, *perm]))


def test_a_transpose_without_perm_reverses() -> None:
    net = Net((2, 3, 6, 5))
    check(net, net.op("Transpose", [net.signed_map(4)]))


def test_a_flatten_in_nhwc_order_is_exact() -> None:
    net = Net((2, 3, 4, 3))
    x = net.op("Transpose", [net.op("Relu", [net.signed_map(5)])], perm=[0, 2, 3, 1])
    check(net, net.gemm(net.op("Flatten", [x]), 9, 60), lsb=5)


def test_a_mean_over_the_inner_axes_of_a_transposed_map_is_not_a_global_average() -> None:
    net = Net((2, 3, 6, 5))
    x = net.op("Transpose", [net.signed_map(4)], perm=[0, 2, 1, 3])
    check(net, net.op("ReduceMean", [x, net.constant([2, 3], np.int64)], keepdims=1))
