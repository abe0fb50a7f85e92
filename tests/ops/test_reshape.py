"""Flatten, Reshape, Squeeze, Unsqueeze. Bound: 0."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from .harness import Net, check
from .seeded import few

FLATTENINGS = {
    "Flatten": ("Flatten", [], {"axis": 1}),
    "Flatten -3": ("Flatten", [], {"axis": -3}),
    "Reshape 0 -1": ("Reshape", [[0, -1]], {}),
    "Reshape N -1": ("Reshape", [[2, -1]], {}),
    "Reshape -1 K": ("Reshape", [[-1, 4 * 5 * 3]], {}),
}


@pytest.mark.parametrize("spelling", FLATTENINGS)
def test_a_map_of_many_positions_flattened_into_a_gemm_is_exact(spelling: str) -> None:
    op, more, attributes = FLATTENINGS[spelling]
    net = Net((2, 3, 5, 3))
    flat = net.ints(op, net.op("Relu", [net.signed_map(4)]), *more, **attributes)
    assert check(net, net.gemm(flat, 12, 60), lsb=5).ops() == ["Conv", "Relu", "Flatten", "Gemm"]


@pytest.mark.parametrize("spelling", FLATTENINGS)
def test_a_flattened_map_keeps_the_order_of_its_columns(spelling: str) -> None:
    op, more, attributes = FLATTENINGS[spelling]
    net = Net((2, 3, 5, 3))
    check(net, net.ints(op, net.signed_map(4), *more, **attributes))


def test_a_flattened_input_into_a_gemm_is_exact() -> None:
    net = Net((3, 2, 6, 5))
    check(net, net.gemm(net.op("Flatten", [net.x]), 9, 60))


def test_a_flattened_map_with_a_relu_and_two_gemms_is_exact() -> None:
    net = Net((2, 3, 4, 3))
    flat = net.op("Relu", [net.op("Flatten", [net.signed_map(5)])])
    check(net, net.op("Add", [net.gemm(flat, 12, 60), net.gemm(flat, 12, 60)]), lsb=5)


@pytest.mark.parametrize("axes", [[2, 3], [-1, -2]])
def test_squeeze_is_a_flatten(axes: list[int]) -> None:
    net = Net((2, 3, 1, 1))
    assert check(net, net.ints("Squeeze", net.signed_map(20), axes)).ops() == ["Conv", "Flatten"]


def test_unsqueezed_vectors_are_exact() -> None:
    net = Net((2, 3, 4, 5))
    x = net.gemm(net.op("Flatten", [net.x]), 8, 60)
    gate = net.ints("Unsqueeze", x, [2, 3])
    check(net, net.op("Mul", [net.signed_map(8), gate]))


@few(st.permutations([2, 3, 4]), st.booleans())
def test_other_reshapes_are_exact(sizes, back: bool) -> None:
    net = Net((2, 3, 4, 3))
    x = net.ints("Reshape", net.signed_map(2), [0, *sizes])
    y = net.ints("Reshape", x, [2, 2, 4, 3]) if back else x
    check(net, y)


def test_a_channel_shuffle_is_exact() -> None:
    net = Net((2, 3, 5, 4))
    x = net.ints("Reshape", net.op("Relu", [net.signed_map(6)]), [2, 2, 3, 5, 4])
    x = net.op("Transpose", [x], perm=[0, 2, 1, 3, 4])
    x = net.ints("Reshape", x, [2, 6, 5, 4])
    check(net, net.conv(x, (4, 6, 1, 1)))


def test_a_batch_size_baked_into_a_reshape_is_taken_out() -> None:
    net = Net((2, 3, 4, 3))
    checked = check(net, net.ints("Reshape", net.signed_map(2), [2, 6, 4, 1]))
    reshape = next(node for node in checked.canonical.graph if node.op_type == "Reshape")
    assert reshape.inputs[1].const_value.numpy().tolist() == [0, 6, 4, 1]
