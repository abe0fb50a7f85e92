"""Split and Gather: as slices. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.errors import UnsupportedOpError

from .harness import Net, check


def split(net: Net, x: str, parts: int, *more: str, **attributes: int) -> list[str]:
    """The outputs of a Split."""
    first = net.op("Split", [x, *more], **attributes)
    names = [first, *(f"{first}_{k}" for k in range(1, parts))]
    del net.nodes[-1].output[:]
    net.nodes[-1].output.extend(names)
    return names


@pytest.mark.parametrize("sizes", [(2, 4), (1, 2, 3), (6,)])
@pytest.mark.parametrize("axis", [1, -3])
def test_a_split_of_sizes_is_exact(sizes: tuple[int, ...], axis: int) -> None:
    net = Net()
    parts = split(net, net.signed_map(6), len(sizes), net.constant(np.array(sizes, np.int64)), axis=axis)
    check(net, net.op("Concat", parts[::-1], axis=1))


def test_a_split_in_equal_parts_is_exact() -> None:
    net = Net()
    parts = split(net, net.signed_map(6), 2, axis=1, num_outputs=2)
    check(net, net.op("Add", parts))


def test_a_split_along_the_height_and_one_output_that_nobody_reads_are_exact() -> None:
    net = Net()
    parts = split(net, net.signed_map(4), 3, net.constant(np.array([2, 3, 4], np.int64)), axis=2)
    check(net, net.conv(parts[1], (4, 4, 1, 1)))


def test_a_part_may_be_the_output() -> None:
    net = Net()
    parts = split(net, net.signed_map(4), 2, axis=1, num_outputs=2)
    check(net, parts[1])


@pytest.mark.parametrize(("indices", "axis"), [([1, 2, 3], 1), ([-2, -1], 2), (2, 1), ([0], -1)])
def test_a_gather_that_counts_up_is_exact(indices: object, axis: int) -> None:
    net = Net((4, 3, 6, 7))
    y = net.op("Gather", [net.signed_map(4), net.constant(np.array(indices, np.int64))], axis=axis)
    check(net, y)


def test_a_gather_of_all_elements_of_a_flattened_value_is_a_reshape() -> None:
    """How torch exports `as_strided` of a whole value."""
    net = Net((1, 3, 6, 7))
    flat = net.ints("Reshape", net.op("GlobalAveragePool", [net.signed_map(12)]), [-1])
    whole = net.op("Gather", [flat, net.constant(np.arange(12).reshape(1, 12, 1, 1))], axis=0)
    assert check(net, net.gemm(net.op("Flatten", [whole]), 9, 12)).ops() == [
        "Conv",
        "GlobalAveragePool",
        "Flatten",
        "Gemm",
    ]


@pytest.mark.parametrize("indices", [[2, 0], [3, 2, 1, 0], [0, 0, 1, 3]])
@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_gather_in_any_order_joins_slices(indices: list[int], axis: int) -> None:
    net = Net()
    y = net.op("Gather", [net.signed_map(4), net.constant(np.array(indices, np.int64))], axis=axis)
    assert set(check(net, y).arithmetic()) == {"Conv", "Slice", "Concat"}


def test_a_gather_of_channels_in_many_runs_is_a_conv() -> None:
    net = Net()
    x, order = net.signed_map(40), net.rng.permutation(40)
    y = net.op("Gather", [x, net.constant(order.astype(np.int64))], axis=1)
    assert check(net, y).arithmetic() == ["Conv", "Conv"]


def test_a_gather_of_rows_in_many_runs_is_refused() -> None:
    net = Net((1, 3, 40, 4))
    y = net.op("Gather", [net.signed_map(4), net.constant(np.arange(40)[::-1].astype(np.int64))], axis=2)
    with pytest.raises(UnsupportedOpError, match="40 runs"):
        check(net, y)
