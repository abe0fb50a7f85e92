"""The whole quantization of small networks: what users are told, and what recipes change."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from ops.harness import RECIPE, Net
from tflite.runtimes import run_onnx

from edgegap.errors import DataError, InternalError, ModelError
from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import Recipe
from edgegap.quantize.verify import verify_normal_form

from .nets import BIASED, FULL, canonical, first, images_of, quantized


def test_a_channel_without_weights_is_handled_with_a_notice() -> None:
    net = Net()
    weight = net.normal(4, 3, 1, 1)
    weight[1] = 0
    y = net.op("Conv", [net.x, net.constant(weight), net.constant(net.normal(4))])
    found = quantized(net, net.conv(net.op("Relu", [y]), (3, 4, 1, 1)))
    assert [n for n in found.notices if "1 channel" in n and "all zero" in n], found.notices
    assert inexact_ops(found.model, None)[1:] == []


def test_a_constant_activation_is_handled_with_a_notice() -> None:
    net = Net()
    dead = net.op(
        "Relu", [net.op("Conv", [net.x, *(net.constant(np.zeros(s, np.float32)) for s in ((4, 3, 1, 1), 4))])]
    )
    found = quantized(net, net.op("Add", [dead, net.conv(net.x, (4, 3, 1, 1))]))
    assert [notice for notice in found.notices if "same" in notice], found.notices


def test_a_network_without_oddities_has_no_notices() -> None:
    net = Net()
    assert quantized(net, net.op("Relu", [net.conv(net.x, (4, 3, 3, 3))])).notices == ()


@pytest.mark.parametrize("recipe", [RECIPE, FULL])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_activation_that_is_not_finite_names_the_layer(recipe, value: float) -> None:
    net = Net()
    bias = net.normal(4)
    bias[2] = value
    x = net.op("Conv", [net.x, net.constant(net.normal(4, 3, 1, 1)), net.constant(bias)], "culprit")
    with pytest.raises(ModelError, match="NaN or infinite") as caught:
        quantized(net, net.conv(x, (3, 4, 1, 1)), recipe=recipe)
    assert "culprit" in str(caught.value.where)
    assert caught.value.hint


def test_no_images_are_an_error_with_a_way_out() -> None:
    net = Net()
    model = canonical(net, net.conv(net.x, (4, 3, 1, 1)))
    with pytest.raises(DataError, match="no calibration images") as caught:
        quantize(model, [], RECIPE, table=net.pixel_table())
    assert caught.value.hint


def test_an_iterator_that_a_second_step_would_find_empty_is_refused() -> None:
    net = Net()
    model = canonical(net, net.conv(net.x, (4, 3, 1, 1)))
    with pytest.raises(InternalError, match="more than once"):
        quantize(model, iter([images_of(net)]), RECIPE, table=net.pixel_table())


def test_the_float_model_is_only_read() -> None:
    net = Net()
    model = canonical(
        net, net.op("AveragePool", [net.op("Relu", [net.conv(net.x, (4, 3, 1, 1))])], kernel_shape=[2, 2])
    )
    before = ir.to_proto(model).SerializeToString()
    quantize(model, [images_of(net)], FULL, table=net.pixel_table())
    assert ir.to_proto(model).SerializeToString() == before


@pytest.mark.parametrize("recipe", [RECIPE, BIASED, FULL])
def test_the_sizes_of_batches_do_not_matter(recipe) -> None:
    net = Net()
    model = canonical(
        net, net.gemm(net.op("Flatten", [net.op("GlobalAveragePool", [net.conv(net.x, (4, 3, 3, 3))])]), 3, 4)
    )
    images, table = images_of(net, 6), net.pixel_table()
    protos = []
    for sizes in ((6,), (1, 2, 3)):
        found = quantize(model, np.split(images, np.cumsum(sizes)[:-1]), recipe, table=table)
        assert found.images == 6
        protos.append(ir.to_proto(found.model).SerializeToString())
    assert protos[0] == protos[1]


def errors_of(recipe: Recipe) -> np.ndarray:
    """Of the outputs of a small network, int8 minus float, [image, ..., channel]."""
    net = Net((8, 3, 8, 8))
    y = net.conv(net.op("Relu", [net.conv(net.x, (16, 3, 3, 3))]), (8, 16, 1, 1))
    images, table, model = images_of(net, 8), net.pixel_table(), canonical(net, y)
    (reference,) = run_onnx(ir.to_proto(model), {"x": images})
    found = quantize(model, [images], recipe, table=table, io="float")
    (result,) = run_onnx(ir.to_proto(found.model), {"x": images})
    return result - reference


def test_bias_correction_brings_the_mean_output_nearer_to_the_float_networks() -> None:
    plain, corrected = (errors_of(Recipe("test", "", "minmax", on)) for on in (False, True))
    assert np.abs(corrected.mean(axis=(0, 1, 2))).mean() < np.abs(plain.mean(axis=(0, 1, 2))).mean()


@pytest.mark.parametrize("count", [1, 3])
def test_images_that_are_all_equal_or_a_single_one_are_enough_for_every_step(count: int) -> None:
    net = Net((1, 3, 8, 8))
    pooled = net.op("Flatten", [net.op("GlobalAveragePool", [net.op("Relu", [net.conv(net.x, (8, 3, 3, 3))])])])
    model, table = canonical(net, net.gemm(pooled, 4, 8)), net.pixel_table()
    image = np.broadcast_to(table[:, 100, None, None], (count, 3, 8, 8))
    found = quantize(model, [image], FULL, table=table)
    verify_normal_form(found.model)
    (reference,), (result,) = (run_onnx(ir.to_proto(m), {"x": image[:1]}) for m in (model, found.model))
    np.testing.assert_allclose(result, reference, atol=0.03 * np.abs(reference).max())


@pytest.mark.parametrize("io", ["float", "int8"])
def test_both_ends_have_the_type_that_was_asked_for(io) -> None:
    net = Net()
    model = quantized(net, net.conv(net.x, (4, 3, 1, 1)), io=io).model
    expected = ir.DataType.FLOAT if io == "float" else ir.DataType.UINT8
    assert {model.graph.inputs[0].dtype, model.graph.outputs[0].dtype} == {expected}
    assert (model.graph.inputs[0].name, model.graph.outputs[0].name) == ("x", "conv_0")
    verify_normal_form(model)


def test_without_a_table_the_input_is_stated_as_inexact() -> None:
    net = Net()
    model = canonical(net, net.conv(net.x, (4, 3, 1, 1)))
    found = quantize(model, [images_of(net)], RECIPE, table=None)
    (inexact,) = inexact_ops(found.model, None)
    assert inexact.lsb == 1
    assert "not 8-bit images" in inexact.why


def test_scales_that_allow_a_tie_are_stated_by_the_node() -> None:
    net = Net((2, 3, 8, 8))
    x = net.op("Add", [net.conv(net.x, (4, 3, 1, 1)), net.conv(net.x, (4, 3, 1, 1))])
    model = quantized(net, net.op("GlobalAveragePool", [x])).model
    table = Net(net.shape).pixel_table()
    assert inexact_ops(model, table) == []
    for op, factor in (("Add", 1.0123), ("GlobalAveragePool", 1.0371)):
        (quantizer,) = first(model, op).outputs[0].consumers()
        scale = quantizer.inputs[1].const_value.numpy()
        quantizer.inputs[1].const_value = ir.tensor(np.asarray(scale * factor, np.float32))
    assert [found.where.split()[0] for found in inexact_ops(model, table)] == ["Add", "GlobalAveragePool"]


@pytest.mark.parametrize(("recipe", "clipped"), [(RECIPE, False), (BIASED, True)])
def test_only_the_logits_are_clipped_below_their_five_largest(recipe: Recipe, clipped: bool) -> None:
    """Class 9 is far below all others on every image; the same values inside the network keep their range."""
    net = Net((1, 3, 8, 8))
    weight, bias = np.zeros((10, 3, 1, 1), np.float32), np.arange(10, dtype=np.float32)
    weight[:, 0] = 0.1
    bias[9] = -200
    x = net.op("Conv", [net.x, net.constant(weight), net.constant(bias)])
    eye = net.constant(np.eye(10, dtype=np.float32)[:, :, None, None])
    y = net.op("GlobalAveragePool", [net.op("Conv", [x, eye])])
    parts = quantized(net, y, recipe=recipe, io="float").parts
    assert (parts.grids[str(parts.model.graph.outputs[0].name)].lo > -20) == clipped
    assert parts.grids[x].lo < -150
