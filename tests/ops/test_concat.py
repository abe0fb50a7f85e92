"""Concat: one grid for all inputs where that is free, an exact requantize elsewhere. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from tflite.runtimes import operators

from edgegap.errors import UnsupportedOpError

from .harness import LSB, Net, check
from .seeded import few


def branch(net: Net, channels: int, activation: str, by: float = 1.0) -> str:
    weights = [net.constant(net.normal(channels, 3, 1, 1) * by), net.constant(net.normal(channels) * by)]
    y = net.op("Conv", [net.x, *(name for name in weights)])
    if activation == "Relu":
        return net.op("Relu", [y])
    if activation == "Clip":
        return net.op("Clip", [y, *(net.constant(np.float32(v)) for v in (0, 1.25))])
    return y


@few(
    st.lists(
        st.tuples(st.sampled_from(["", "Relu", "Clip"]), st.sampled_from([0.05, 1.0, 8.0])), min_size=2, max_size=4
    ),
    st.booleans(),
)
def test_concat_of_any_branches_is_exact(branches, read_on: bool) -> None:
    net = Net()
    y = net.op("Concat", [branch(net, 3 + k, *each) for k, each in enumerate(branches)], axis=1)
    computed = [node.output[0] for node in net.nodes if node.op_type == "Conv"]
    if read_on:
        y = net.op("Relu", [net.conv(y, (4, sum(3 + k for k in range(len(branches))), 1, 1))])
    check(net, y, lsb=6 if read_on else LSB, of=computed)


def test_concat_of_equal_ranges_needs_no_requantize() -> None:
    net = Net()
    y = net.op("Concat", [branch(net, 4, "Relu"), branch(net, 5, "Relu")], axis=1)
    assert operators(check(net, y).int8_file) == ["CONV_2D", "CONV_2D", "CONCATENATION"]


def test_a_relu_beside_a_signed_branch_is_requantized_by_a_depthwise_conv() -> None:
    net = Net()
    y = net.op("Concat", [branch(net, 4, "Relu"), branch(net, 5, "")], axis=1)
    ops = operators(check(net, y).int8_file)
    assert "QUANTIZE" not in ops
    assert ops.count("DEPTHWISE_CONV_2D") == 1


def test_the_graph_input_is_requantized() -> None:
    net = Net()
    y = net.op("Concat", [net.x, branch(net, 4, "")], axis=1)
    assert operators(check(net, y).int8_file).count("DEPTHWISE_CONV_2D") == 1


def test_the_graph_input_twice_is_exact() -> None:
    net = Net()
    check(net, net.conv(net.op("Concat", [net.x, net.x], axis=1), (4, 6, 3, 3)))


def test_a_branch_that_two_concats_read_is_exact() -> None:
    net = Net()
    a, b, c = branch(net, 4, "Relu"), branch(net, 4, "Relu", 5.0), branch(net, 4, "", 0.2)
    y = net.op("Concat", [net.op("Concat", [a, b], axis=1), net.op("Concat", [b, c], axis=1)], axis=1)
    check(net, y)


def test_dense_blocks_are_exact() -> None:
    net = Net()
    x, channels = branch(net, 4, "Relu"), 4
    for _ in range(3):
        x = net.op("Concat", [x, net.op("Relu", [net.conv(x, (4, channels, 3, 3), pads=[1, 1, 1, 1])])], axis=1)
        channels += 4
    check(net, net.op("GlobalAveragePool", [x]), of=[x])


def test_the_same_branch_twice_is_exact() -> None:
    net = Net()
    a = branch(net, 4, "Relu")
    check(net, net.op("Concat", [a, a], axis=1))


def test_averages_beside_one_another_are_exact() -> None:
    net = Net((2, 3, 6, 6))
    pooled = [net.op("GlobalAveragePool", [branch(net, 8, "Relu", by)]) for by in (1.0, 4.0)]
    check(net, net.op("Concat", pooled, axis=1))


@pytest.mark.parametrize("axis", [2, 3, -1])
def test_concat_along_the_map_is_exact(axis: int) -> None:
    net = Net()
    check(net, net.op("Concat", [branch(net, 4, "Relu"), branch(net, 4, "")], axis=axis))


def test_concat_of_an_add_and_its_operand_is_exact() -> None:
    net = Net()
    a, b = branch(net, 4, "Relu"), branch(net, 4, "Relu", 3.0)
    total = net.op("Relu", [net.op("Add", [a, b])])
    check(net, net.op("Concat", [a, total, b], axis=1))


def test_vectors_are_joined_exactly() -> None:
    net = Net((3, 3, 4, 5))
    flat = net.op("Flatten", [net.x])
    a, b = net.gemm(flat, 20, 60), net.op("Relu", [net.gemm(flat, 30, 60)])
    check(net, net.op("Concat", [a, b], axis=1))


def test_a_joined_constant_is_refused_with_a_way_out() -> None:
    net = Net()
    y = net.op("Concat", [branch(net, 4, "Relu"), net.constant(np.abs(net.normal(2, 1, 9, 8)))], axis=1)
    with pytest.raises(UnsupportedOpError, match="joins a constant"):
        check(net, y)
