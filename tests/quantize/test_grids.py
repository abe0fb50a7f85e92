"""Which values share a grid, and where a requantize has to stand between two."""

from __future__ import annotations

import numpy as np
from ops.harness import Net

from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.snap import LOSS_CAP

from .nets import first, grids_of, quantized


def convs(model) -> int:
    return sum(node.op_type == "Conv" for node in model.graph)


def relu_conv(net: Net, x: str, channels: tuple[int, int]) -> str:
    return net.op("Relu", [net.conv(x, (*channels, 1, 1))])


def test_what_only_moves_integers_keeps_the_grid() -> None:
    net = Net()
    x = net.op("MaxPool", [relu_conv(net, net.x, (4, 3))], kernel_shape=[2, 2])
    y = net.op("Transpose", [net.ints("Slice", x, [1], [5], [2])], perm=[0, 2, 1, 3])
    model = quantized(net, net.ints("Pad", y, [0, 0, 1, 1, 0, 0, 0, 0])).model
    (_, computed), *_ = grids_of(model, "Conv")
    for op in ("MaxPool", "Slice", "Transpose", "Pad"):
        ((inputs, output),) = grids_of(model, op)
        assert {inputs[0], output} == {computed}


def test_relus_of_a_concat_share_one_grid() -> None:
    net = Net()
    branches = [relu_conv(net, net.x, (4, 3)) for _ in range(3)]
    model = quantized(net, net.op("Concat", branches, axis=1)).model
    ((inputs, output),) = grids_of(model, "Concat")
    assert len({*inputs, output}) == 1
    assert convs(model) == 3


def test_the_shared_grid_spans_all_branches() -> None:
    net = Net()
    small, large = relu_conv(net, net.x, (4, 3)), net.conv(net.x, (4, 3, 1, 1))
    scaled = net.op("Relu", [net.op("Mul", [large, net.constant(np.float32(20))])])
    alone = quantized(net, scaled).model
    net.rng = np.random.default_rng(1)
    model = quantized(net, net.op("Concat", [small, scaled], axis=1)).model
    (_, shared), *_ = grids_of(model, "Concat")
    (_, wide), *_ = grids_of(alone, "Conv")
    assert shared.hi > 0.7 * wide.hi


def test_a_relu_beside_a_signed_branch_keeps_its_own_grid() -> None:
    net = Net()
    relu, linear = relu_conv(net, net.x, (4, 3)), net.conv(net.x, (4, 3, 1, 1))
    model = quantized(net, net.op("Concat", [relu, linear], axis=1)).model
    assert convs(model) == 3
    assert {grid.zero_point == 0 for _, grid in grids_of(model, "Conv")} == {True, False}


def test_the_inputs_grid_is_never_changed_by_what_it_joins() -> None:
    for build in (
        lambda net: net.op("Concat", [net.x, net.conv(net.x, (4, 3, 1, 1))], axis=1),
        lambda net: net.op("Add", [net.x, net.conv(net.x, (3, 3, 1, 1))]),
    ):
        net = Net()
        found = quantized(net, build(net))
        alone_net = Net()
        alone = quantized(alone_net, alone_net.conv(alone_net.x, (4, 3, 1, 1)))
        assert found.input_grid == alone.input_grid
        assert convs(found.model) == 2


def test_adds_in_a_row_are_one_group_of_scales() -> None:
    net = Net()
    x = relu_conv(net, net.x, (4, 3))
    for _ in range(3):
        x = net.op("Relu", [net.op("Add", [x, net.conv(x, (4, 4, 1, 1))])])
    model = quantized(net, x).model
    scales = {grid.scale for inputs, output in grids_of(model, "Add") for grid in (*inputs, output)}
    base = min(scales)
    ratios = np.array(sorted(scales)) / base
    # integers of one base, all of them at most 1023: some common multiple makes the ratios whole
    assert any(np.abs(ratios * n - np.rint(ratios * n)).max() < 1e-4 for n in range(1, 1024))
    assert inexact_ops(model, None)[1:] == []


def test_an_add_costs_its_operands_no_more_than_the_cap() -> None:
    """A small map that a convolution reads too is copied for an Add with a large one, and stays as fine as it was."""
    net = Net()
    small = net.conv(net.x, (4, 3, 1, 1))
    large = net.op("Mul", [net.conv(net.x, (4, 3, 1, 1)), net.constant(np.float32(700))])
    joined = net.op("Add", [small, large])
    reread = net.conv(small, (4, 4, 1, 1))
    flat = net.op("Concat", [net.op("GlobalAveragePool", [v]) for v in (joined, reread)], axis=1)
    model = quantized(net, flat).model
    grids = [grid for _, grid in grids_of(model, "Conv")]
    ((inputs, _),) = grids_of(model, "Add")
    coarse, fine = max(g.scale for g in inputs), min(g.scale for g in grids)
    assert coarse / fine > 500
    alone_net = Net()
    (_, alone), *_ = grids_of(quantized(alone_net, alone_net.conv(alone_net.x, (4, 3, 1, 1))).model, "Conv")
    assert min(abs(grid.scale / alone.scale - 1) for grid in grids) <= LOSS_CAP + 0.05


def test_an_average_has_a_grid_of_its_own() -> None:
    net = Net((2, 3, 8, 8))
    model = quantized(net, net.op("GlobalAveragePool", [relu_conv(net, net.x, (32, 3))])).model
    ((inputs, output),) = grids_of(model, "GlobalAveragePool")
    assert output.scale < inputs[0].scale


def test_a_constant_operand_is_exact_on_its_grid() -> None:
    net = Net()
    levels = net.rng.integers(-3, 4, (1, 4, 9, 8)).astype(np.float32) / 4
    y = net.op("Mul", [relu_conv(net, net.x, (4, 3)), net.constant(levels)])
    model = quantized(net, y).model
    dequantize = first(model, "Mul").inputs[1].producer()
    integers, scale, zero = (value.const_value.numpy() for value in dequantize.inputs)
    np.testing.assert_allclose((integers.astype(int) - zero) * scale, levels, rtol=1e-6, atol=0)
