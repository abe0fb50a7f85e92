"""The verifier: each rule of the normal form, broken by hand in a good model, is found and its node named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
from ops.harness import Net

from edgegap.errors import InternalError
from edgegap.graph.nodes import add_initializer, describe
from edgegap.quantize.verify import verify_normal_form

from .nets import first, quantized


@pytest.fixture
def good() -> ir.Model:
    net = Net((1, 3, 8, 8))
    a, b = (net.op("Relu", [net.conv(net.x, (4, 3, 1, 1))]) for _ in range(2))
    x = net.op("MaxPool", [net.op("Concat", [a, b], axis=1)], kernel_shape=[2, 2])
    x = net.op("Add", [net.conv(x, (5, 8, 1, 1)), net.conv(x, (5, 8, 1, 1))])
    y = net.gemm(net.op("Flatten", [net.op("GlobalAveragePool", [x])]), 6, 5)
    return quantized(net, y, io="float").model


def test_a_good_model_passes(good: ir.Model) -> None:
    verify_normal_form(good)


def assert_found(model: ir.Model, node: ir.Node, what: str) -> None:
    with pytest.raises(InternalError, match=what) as caught:
        verify_normal_form(model)
    assert caught.value.where == describe(node)


def behind(node: ir.Node, index: int) -> ir.Node:
    """The DequantizeLinear in front of input `index`."""
    producer = node.inputs[index].producer()
    assert producer is not None
    return producer


def change(node: ir.Node, index: int, make: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace the constant behind input `index`."""
    value = node.inputs[index]
    array = make(value.const_value.numpy().copy())
    node.replace_input_with(index, add_initializer(node.graph, f"{value.name}_broken", array))


def test_an_op_that_has_no_place_is_found(good: ir.Model) -> None:
    pool = first(good, "MaxPool")
    relu = ir.node("Relu", [pool.inputs[0]], name="stray")
    good.graph.insert_before(pool, relu)
    assert_found(good, relu, "no place")


def test_an_input_that_is_not_dequantized_is_found(good: ir.Model) -> None:
    add = first(good, "Add")
    add.replace_input_with(0, first(good, "GlobalAveragePool").inputs[0].producer().inputs[0])
    assert_found(good, add, "not dequantized")


def test_an_output_that_is_read_twice_is_found(good: ir.Model) -> None:
    add = first(good, "Add")
    quantize = next(iter(add.outputs[0].consumers()))
    good.graph.insert_after(quantize, ir.node("QuantizeLinear", [add.outputs[0], *quantize.inputs[1:]], name="again"))
    assert_found(good, add, "not quantized once")


def test_a_value_that_is_quantized_twice_is_found(good: ir.Model) -> None:
    add = first(good, "Add")
    again = ir.node("QuantizeLinear", [add.inputs[0], *behind(add, 0).inputs[1:]], name="again")
    good.graph.insert_before(add, again)
    assert_found(good, again, "not computed")


def test_a_weight_around_another_zero_is_found(good: ir.Model) -> None:
    conv = first(good, "Conv")
    change(behind(conv, 1), 2, lambda zero: zero + 1)
    assert_found(good, conv, "int8 around 0")


def test_a_weight_of_another_type_is_found(good: ir.Model) -> None:
    conv = first(good, "Conv")
    change(behind(conv, 1), 0, lambda weight: weight.view(np.uint8))
    assert_found(good, conv, "int8 around 0")


def test_a_weight_of_one_scale_is_found(good: ir.Model) -> None:
    conv = first(good, "Conv")
    change(behind(conv, 1), 1, lambda scale: scale[:1])
    assert_found(good, conv, "per channel")


def test_a_bias_off_the_accumulators_scale_is_found(good: ir.Model) -> None:
    gemm = first(good, "Gemm")
    change(behind(gemm, 2), 1, lambda scale: np.nextafter(scale, np.float32(1)))
    assert_found(good, gemm, "accumulator")


def test_a_bias_in_float_is_found(good: ir.Model) -> None:
    conv = first(good, "Conv")
    bias = add_initializer(good.graph, "bias", np.zeros(4, np.float32))
    conv.replace_input_with(2, bias)
    assert_found(good, conv, "not dequantized")


def test_a_concat_of_two_grids_is_found(good: ir.Model) -> None:
    concat = first(good, "Concat")
    change(concat.inputs[1].producer(), 1, lambda scale: scale * 2)
    assert_found(good, concat, "different grids")


def test_a_move_of_real_values_is_found(good: ir.Model) -> None:
    pool = first(good, "MaxPool")
    pool.outputs[0].dtype = ir.DataType.FLOAT
    assert_found(good, pool, "does not work on integers")
