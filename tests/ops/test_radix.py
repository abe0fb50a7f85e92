"""Radix attention (SKNet, ResNeSt): rewritten. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest

from .harness import Net, check

C = 6


def summed(net: Net, x: str) -> str:
    return net.ints("ReduceSum", x, [1], keepdims=0)


def pointwise(net: Net, x: str, outputs: int, inputs: int) -> str:
    return net.conv(x, (outputs, inputs, 1, 1))


@pytest.mark.parametrize("groups", [1, 2])
def test_split_attention_is_exact(groups: int) -> None:
    """ResNeSt, as timm spells it."""
    net = Net()
    x = net.ints("Reshape", net.op("Relu", [net.signed_map(2 * C)]), [0, 2, C, 9, 8])
    gap = net.op("GlobalAveragePool", [summed(net, x)])
    logits = net.conv(gap, (2 * C, C // groups, 1, 1), group=groups)
    halves = net.ints("Reshape", logits, [0, groups, 2, C // groups])
    gate = net.op("Softmax", [net.op("Transpose", [halves], perm=[0, 2, 1, 3])], axis=1)
    product = net.op("Mul", [x, net.ints("Reshape", gate, [0, 2, C, 1, 1])])
    checked = check(net, summed(net, product), of=[x])
    assert checked.ops().count("Sigmoid") == groups
    assert "Softmax" not in checked.ops()


def test_a_selective_kernel_is_exact() -> None:
    """SKNet, as timm spells it."""
    net = Net()
    maps = [net.op("Relu", [net.signed_map(C)]) for _ in range(2)]
    x = net.op("Concat", [net.ints("Unsqueeze", each, [1]) for each in maps], axis=1)
    gap = net.op("GlobalAveragePool", [summed(net, x)])
    gate = net.op("Softmax", [net.ints("Reshape", pointwise(net, gap, 2 * C, C), [0, 2, C, 1, 1])], axis=1)
    checked = check(net, summed(net, net.op("Mul", [x, gate])), of=maps)
    assert "Concat" not in checked.ops()


def test_two_layers_that_are_stacked_are_exact() -> None:
    """SKNet with a linear layer for each branch."""
    net = Net()
    maps = [net.op("Relu", [net.signed_map(C)]) for _ in range(2)]
    x = net.op("Concat", [net.ints("Unsqueeze", each, [1]) for each in maps], axis=1)
    gap = net.op("Flatten", [net.op("GlobalAveragePool", [summed(net, x)])])
    rows = [net.ints("Unsqueeze", net.gemm(gap, C, C), [1]) for _ in range(2)]
    gate = net.op("Softmax", [net.op("Concat", rows, axis=1)], axis=1)
    check(net, summed(net, net.op("Mul", [x, net.ints("Unsqueeze", gate, [3, 4])])), of=maps)


def test_a_gate_of_one_channel_is_exact() -> None:
    net = Net()
    gate = net.op("Softmax", [net.signed_map(2)], axis=1)
    first = net.ints("Slice", gate, [0], [1], [1], [1])
    check(net, net.op("Mul", [net.signed_map(4), first]), lsb=8)


def test_hard_swish_of_a_vector_in_parts_is_exact() -> None:
    net = Net()
    x = net.gemm(net.op("Flatten", [net.op("GlobalAveragePool", [net.signed_map(8)])]), 12, 8)
    gate = net.op("HardSigmoid", [x], alpha=float(np.float32(1 / 6)), beta=0.5)
    check(net, net.op("Mul", [x, gate]), of=[x])
