"""A channel that dwarfs the others does not cost them their accuracy, and the user is told what was done."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from graph.models import run
from hypothesis import strategies as st
from ops.harness import RECIPE, Net
from ops.seeded import few
from tflite.runtimes import run_onnx

from edgegap.quantize.equalize import equalize
from edgegap.quantize.lower import lower
from edgegap.quantize.observer import observe
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import Recipe

from .nets import BIASED, FULL, canonical, images_of

FACTOR = 1000.0


def dominated(between: str, *, factor: float = FACTOR, group: int = 1) -> tuple[Net, str]:
    """Two layers; channel 5 of the first is `factor` times as large, and the second divides it by that."""
    net = Net((8, 3, 8, 8))
    first, second = net.normal(8, 3, 3, 3), net.normal(6, 8 // group, 1, 1)
    first[5] *= factor
    second[:, 5 % (8 // group)] /= factor
    y = net.op("Conv", [net.x, net.constant(first), net.constant(net.normal(8))])
    y = net.op("Relu", [y])
    if between == "MaxPool":
        y = net.op("MaxPool", [y], kernel_shape=[2, 2])
    if between == "Add":
        y = net.op("Add", [y, net.op("Relu", [net.conv(net.x, (8, 3, 3, 3))])])
    if between == "head":
        flat = net.op("Flatten", [net.op("GlobalAveragePool", [y])])
        return net, net.op("Gemm", [flat, net.constant(second[:, :, 0, 0]), net.constant(net.normal(6))], transB=1)
    return net, net.op("Conv", [y, net.constant(second), net.constant(net.normal(6))], group=group)


def relative_error(net: Net, output: str, recipe: Recipe) -> tuple[float, tuple[str, ...]]:
    model, images = canonical(net, output), images_of(net, 8)
    found = quantize(model, [images], recipe, table=net.pixel_table())
    (expected,), (result,) = (run_onnx(ir.to_proto(m), {"x": images}) for m in (model, found.model))
    return float(np.abs(result - expected).mean() / np.abs(expected).mean()), found.notices


@pytest.mark.parametrize("recipe", [RECIPE, BIASED, FULL])
@pytest.mark.parametrize("between", ["nothing", "MaxPool", "head"])
def test_a_channel_a_thousand_times_as_large_costs_the_others_nothing(recipe, between: str) -> None:
    plain, _ = relative_error(*dominated(between, factor=1.0), recipe)
    error, notices = relative_error(*dominated(between), recipe)
    assert error < 2 * plain + 0.01
    (notice,) = [n for n in notices if "median channel" in n]
    assert "channel 5" in notice
    assert "computes the same" in notice


def test_what_no_next_layer_can_take_over_is_told() -> None:
    _, notices = relative_error(*dominated("Add"), RECIPE)
    assert [n for n in notices if "channel 5" in n and "share few of the 256 steps" in n]


@few(st.integers(0, 99), st.sampled_from(["nothing", "MaxPool", "head"]), st.sampled_from([100.0, 3e3, 1e6]))
def test_the_network_computes_the_same(seed: int, between: str, factor: float) -> None:
    net, output = dominated(between, factor=factor)
    model, images = canonical(net, output), images_of(net, 8)
    lower(model)
    expected = run(model, images)
    changed, _ = equalize(model, observe(model, [images], detailed=False))
    assert changed
    np.testing.assert_allclose(run(model, images), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_network_without_such_a_channel_stays_bit_for_bit() -> None:
    net, output = dominated("nothing", factor=8.0)
    model = canonical(net, output)
    lower(model)
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    assert equalize(model, observe(model, [images_of(net)], detailed=False)) == (False, ())
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


def test_weights_that_matter_keep_their_share_of_the_next_layers_scale() -> None:
    """The next layer does not divide by the factor: there is no room, and its other weights must not collapse."""
    net = Net((8, 3, 8, 8))
    first = net.normal(8, 3, 3, 3)
    first[5] *= FACTOR
    y = net.op("Relu", [net.op("Conv", [net.x, net.constant(first), net.constant(net.normal(8))])])
    error, notices = relative_error(net, net.conv(y, (6, 8, 1, 1)), RECIPE)
    assert error < 0.1
    assert [n for n in notices if "median channel" in n]
