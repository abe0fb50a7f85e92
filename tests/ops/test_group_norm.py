"""InstanceNormalization and GroupNormalization: a LayerNormalization of a Reshape, scale and bias apart. Bound: 0."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
import torch
from hypothesis import strategies as st
from tflite.runtimes import outside_xnnpack, run_onnx, run_tflite, signed
from torch import nn

from edgegap.errors import UnsupportedOpError
from edgegap.graph.canonical import canonicalize
from edgegap.graph.nodes import operand, shape_of
from edgegap.graph.shapes import check_batch, set_batch
from edgegap.graph.trace import trace
from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.quantize import quantize
from edgegap.tflite import write_tflite

from .harness import BLOCKED_IN_FLOAT, LSB, NORM_IN_FLOAT, RECIPE, Array, Checked, Net, check
from .seeded import few

STEEP = 4 * LSB
"""As of a LayerNormalization."""

SIZES = st.sampled_from([(9, 8), (1, 40), (21, 20), (40, 33)])


def constants(net: Net, count: int) -> list[str]:
    return [net.constant(net.rng.uniform(0.5, 1.5, count).astype(np.float32)), net.constant(net.normal(count))]


def checked(net: Net, y: str, x: str, rows: int, **more: int) -> Checked:
    """`check` of a network with one norm, over `rows` values of `x` each."""
    in_float = NORM_IN_FLOAT if rows <= 1032 else BLOCKED_IN_FLOAT
    found = check(net, y, lsb=STEEP, of=[x], in_float=in_float, **more)
    check_batch(set_to_one(found.canonical))
    return found


def computing(found: Checked) -> list[str]:
    """A Reshape that changes nothing is none."""
    return [op for op in found.ops() if op != "Reshape"]


def set_to_one(model: ir.Model) -> ir.Model:
    copy = model.clone()
    set_batch(copy, 1)
    return copy


@few(SIZES, st.sampled_from([1, 4, 6]), st.sampled_from([1, 2]), st.integers(0, 99))
def test_of_each_channel_it_is_exact(size: tuple[int, int], channels: int, batch: int, seed: int) -> None:
    net = Net((batch, 3, *size), seed=seed)
    x = net.signed_map(channels)
    y = net.op("InstanceNormalization", [x, *constants(net, channels)], epsilon=1e-3)
    assert computing(checked(net, y, x, size[0] * size[1])) == ["Conv", "LayerNormalization", "Conv"]


@few(SIZES, st.integers(1, 4), st.integers(1, 4), st.sampled_from([18, 21]), st.integers(0, 99))
def test_of_groups_it_is_exact(size: tuple[int, int], groups: int, channels: int, opset: int, seed: int) -> None:
    net = Net((2, 3, *size), seed=seed)
    x = net.signed_map(groups * channels)
    each = constants(net, groups if opset == 18 else groups * channels)
    y = net.op("GroupNormalization", [x, *each], num_groups=groups, epsilon=1e-4)
    checked(net, y, x, channels * size[0] * size[1], opset=opset)


@few(SIZES, st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_as_torch_spells_it_it_is_the_same(size: tuple[int, int], groups: int, each: int, seed: int) -> None:
    net, channels = Net((2, 3, *size), seed=seed), groups * each
    x = net.signed_map(channels)
    rows = net.op("Reshape", [x, net.constant(np.array([0, groups, -1]))])
    plain = [np.ones(groups, np.float32), np.zeros(groups, np.float32)]
    normed = net.op("InstanceNormalization", [rows, *map(net.constant, plain)])
    y = net.op("Reshape", [normed, net.constant(np.array([2, channels, *size]))])
    y = net.op("Mul", [y, net.constant(net.rng.uniform(0.5, 1.5, (channels, 1, 1)).astype(np.float32))])
    y = net.op("Add", [y, net.constant(net.normal(channels, 1, 1))])
    found = checked(net, net.op("Relu", [y]), x, each * size[0] * size[1])
    assert computing(found) == ["Conv", "LayerNormalization", "Conv", "Relu"]
    assert found.ops().count("Reshape") in (0, 2)


@few(st.integers(24, 1200), st.sampled_from([1, 2, 6]), st.booleans(), st.integers(0, 99))
def test_of_a_line_it_is_exact(length: int, groups: int, is_instance: bool, seed: int) -> None:
    """In a network of lines."""
    net = Net((2, 3, 1, length), seed=seed)
    x = net.op("Squeeze", [net.signed_map(6), net.constant(np.array([2]))])
    if is_instance:
        groups = 6
        y = net.op("InstanceNormalization", [x, *constants(net, 6)])
    else:
        y = net.op("GroupNormalization", [x, *constants(net, groups)], num_groups=groups)
    y = net.op("MaxPool", [net.raw_conv(y, (5, 6, 3))], kernel_shape=[3])
    found = checked(net, y, x, 6 // groups * length)
    assert {len(shape_of(operand(node))) for node in found.canonical.graph} == {4}


def test_its_scale_and_bias_fold_into_the_conv_behind_it() -> None:
    net = Net((2, 3, 9, 8))
    x = net.signed_map(8)
    y = net.op("InstanceNormalization", [x, *constants(net, 8)])
    found = checked(net, net.conv(y, (5, 8, 2, 2), strides=[2, 2]), x, 72)
    assert found.ops() == ["Conv", "Reshape", "LayerNormalization", "Reshape", "Conv"]


class Normed(nn.Sequential):
    """A network of torch's own layers."""

    def __init__(self) -> None:
        super().__init__(
            *(nn.Conv2d(3, 16, 3), nn.GroupNorm(4, 16), nn.ReLU()),
            *(nn.Conv2d(16, 8, 3), nn.InstanceNorm2d(8), nn.ReLU()),
            *(nn.Conv2d(8, 8, 1), nn.InstanceNorm2d(8, affine=True), nn.ReLU()),
            *(nn.Flatten(1), nn.GroupNorm(2, 8 * 400), nn.Linear(8 * 400, 5)),
        )
        for layer in self:
            if isinstance(layer, nn.GroupNorm) or getattr(layer, "affine", False):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias)


def test_a_torch_network_of_them_is_exact() -> None:
    torch.manual_seed(0)
    network = Normed().eval()
    rng = np.random.default_rng(0)
    table = np.tile(np.linspace(-2, 2, 256, dtype=np.float32), (3, 1))
    images = table[0][rng.integers(0, 256, (2, 3, 24, 24))]
    canonical = canonicalize(trace(network, (3, 24, 24), "it"), (1, 3, 24, 24))
    check_batch(canonical)
    set_batch(canonical, 2)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    name = str(canonical.graph.inputs[0].name)
    for given in (
        run_onnx(ir.to_proto(canonical), {name: images}),
        run_tflite(write_tflite(canonical), {name: images}),
    ):
        np.testing.assert_allclose(given[0], expected, rtol=0, atol=1e-4 * np.abs(expected).max())

    quantized = quantize(canonical, [images], RECIPE, table=table, io="int8")
    assert inexact_ops(quantized.model, table) == []
    assert_alike(quantized.model, {name: quantized.input_grid.quantize(images)})


def assert_alike(model: ir.Model, feeds: dict[str, Array]) -> None:
    file = write_tflite(model)
    (ours,), (theirs,) = run_onnx(ir.to_proto(model), feeds), run_tflite(file, feeds)
    assert len(np.unique(ours)) > 3
    assert np.array_equal(signed(ours), theirs)
    assert not outside_xnnpack(file)


def test_of_a_volume_it_is_refused() -> None:
    net = Net((2, 3, 9, 8))
    x = net.op("Reshape", [net.signed_map(4), net.constant(np.array([2, 4, 3, 3, 8]))])
    y = net.op("InstanceNormalization", [x, *constants(net, 4)])
    with pytest.raises(UnsupportedOpError, match="InstanceNormalization has no exact int8 form"):
        canonicalize(ir.from_proto(net.in_opset(y, 18)), net.shape)
