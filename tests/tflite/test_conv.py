"""Conv: CONV_2D, DEPTHWISE_CONV_2D and their padding."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError

from .nets import Net, QuantizedNet
from .runtimes import (
    assert_same_floats,
    assert_same_integers,
    operators,
    options_of,
    outside_xnnpack,
    parsed,
    run_onnx,
    run_tflite,
    signed,
    tensors_of,
    written,
)

PADDING = schema.Padding

convolutions = st.fixed_dictionaries(
    {
        "groups": st.sampled_from([1, 1, 2, 4]),
        "inputs_per_group": st.sampled_from([1, 3, 8]),
        "outputs_per_group": st.sampled_from([1, 2, 5]),
        "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "strides": st.lists(st.integers(1, 3), min_size=2, max_size=2),
        "dilations": st.lists(st.integers(1, 2), min_size=2, max_size=2),
        "pads": st.lists(st.integers(0, 2), min_size=4, max_size=4),
        "size": st.tuples(st.integers(7, 12), st.integers(7, 12)),
        "batch": st.integers(1, 2),
        "seed": st.integers(0, 2**16),
    }
)


def shapes(groups: int, inputs_per_group: int, outputs_per_group: int, kernel: tuple[int, int]):
    return groups * inputs_per_group, (groups * outputs_per_group, inputs_per_group, *kernel)


@settings(max_examples=40, deadline=None)
@given(convolutions)
def test_any_float_convolution_is_the_same_in_both_runtimes(c) -> None:
    net = Net(seed=c["seed"])
    channels, weight = shapes(c["groups"], c["inputs_per_group"], c["outputs_per_group"], c["kernel"])
    shape = (c["batch"], channels, *c["size"])
    net.conv(
        net.input("x", shape), weight, group=c["groups"], strides=c["strides"], dilations=c["dilations"], pads=c["pads"]
    )
    assert_same_floats(net.model(net.nodes[-1].output[0]), net.normal(*shape))


@settings(max_examples=60, deadline=None)
@given(convolutions, st.sampled_from([0, 128, 77]), st.sampled_from([0, 128, 200]))
def test_any_int8_convolution_gives_the_same_integers(c, x_zero: int, y_zero: int) -> None:
    net = QuantizedNet(seed=c["seed"])
    channels, weight = shapes(c["groups"], c["inputs_per_group"], c["outputs_per_group"], c["kernel"])
    shape = (c["batch"], channels, *c["size"])
    x = net.uint8_input("x", shape, x_zero)
    y = net.quantized_conv(
        x, weight, y_zero, group=c["groups"], strides=c["strides"], dilations=c["dilations"], pads=c["pads"]
    )
    assert_same_integers(net.integer_model(y), net.random_integers(*shape))


@pytest.mark.parametrize(
    ("channels", "weight", "group", "builtin", "version"),
    [
        (8, (6, 8, 3, 3), 1, "CONV_2D", 3),
        (8, (6, 4, 3, 3), 2, "CONV_2D", 6),
        (8, (8, 1, 3, 3), 8, "DEPTHWISE_CONV_2D", 3),
        (8, (24, 1, 3, 3), 8, "DEPTHWISE_CONV_2D", 3),
        (1, (6, 1, 3, 3), 1, "CONV_2D", 3),
    ],
)
def test_groups_decide_the_builtin(channels: int, weight, group: int, builtin: str, version: int) -> None:
    net = QuantizedNet()
    x = net.uint8_input("x", (1, channels, 9, 9), 100)
    data = assert_same_integers(
        net.integer_model(net.quantized_conv(x, weight, group=group)), net.random_integers(1, channels, 9, 9)
    )
    assert operators(data) == [builtin]
    assert not outside_xnnpack(data)
    assert parsed(data).operatorCodes[0].version == version
    if builtin == "DEPTHWISE_CONV_2D":
        assert options_of(data, builtin).depthMultiplier == weight[0] // channels


def test_scales_run_along_the_output_channels() -> None:
    net = QuantizedNet()
    x = net.uint8_input("x", (1, 4, 9, 9))
    y = net.quantized_conv(net.quantized_conv(x, (6, 4, 3, 3)), (12, 1, 3, 3), group=6)
    data = written(net.integer_model(y))
    tensors = tensors_of(data)
    weights = [t for t in tensors.values() if t.quantization is not None and len(t.shape) == 4 and t.buffer]
    assert [(list(t.shape), t.quantization.quantizedDimension, len(t.quantization.scale)) for t in weights] == [
        ([6, 3, 3, 4], 0, 6),
        ([1, 3, 3, 12], 3, 12),
    ]


@pytest.mark.parametrize(
    ("case", "ops", "padding"),
    [
        ((8, 1, 1, [0, 0, 0, 0]), ["CONV_2D"], PADDING.VALID),
        ((8, 1, 1, [1, 1, 1, 1]), ["CONV_2D"], PADDING.SAME),
        ((9, 2, 1, [1, 1, 1, 1]), ["CONV_2D"], PADDING.SAME),
        ((8, 2, 1, [0, 0, 1, 1]), ["CONV_2D"], PADDING.SAME),
        ((8, 1, 2, [2, 2, 2, 2]), ["CONV_2D"], PADDING.SAME),
        ((8, 2, 1, [1, 1, 1, 1]), ["PAD", "CONV_2D"], PADDING.VALID),
        ((8, 1, 1, [2, 2, 2, 2]), ["PAD", "CONV_2D"], PADDING.VALID),
        ((8, 1, 1, [1, 1, 0, 0]), ["PAD", "CONV_2D"], PADDING.VALID),
    ],
)
@pytest.mark.parametrize("zero_point", [0, 128, 255])
def test_pads_are_same_only_where_they_are_tensorflows(
    case: tuple[int, int, int, list[int]], ops: list[str], padding: int, zero_point: int
) -> None:
    size, stride, dilation, pads = case
    net = QuantizedNet()
    x = net.uint8_input("x", (1, 3, size, size), zero_point)
    y = net.quantized_conv(x, (5, 3, 3, 3), 128, strides=[stride] * 2, dilations=[dilation] * 2, pads=pads)
    data = assert_same_integers(net.integer_model(y), net.random_integers(1, 3, size, size))
    assert operators(data) == ops
    assert options_of(data, "CONV_2D").padding == padding
    assert not outside_xnnpack(data)


def test_a_convolution_of_one_dimension_is_refused_with_its_name() -> None:
    net = Net()
    y = net.op("Conv", [net.input("x", (1, 3, 9)), net.constant(net.normal(2, 3, 3)), net.constant(net.normal(2))], "y")
    with pytest.raises(UnsupportedOpError, match="y_node"):
        written(net.model(y))


def test_a_bias_beyond_int16_and_a_saturated_kernel_survive() -> None:
    net = QuantizedNet(seed=3)
    x = net.uint8_input("x", (1, 64, 6, 6), 0)
    y = net.quantized_conv(x, (16, 64, 3, 3), 128)
    weight = next(i for i in net.initializers.values() if i.data_type == 3 and len(i.dims) == 4)
    weight.raw_data = np.full((16, 64, 3, 3), 127, np.int8).tobytes()
    model = net.integer_model(y)
    feeds = {"x": np.full((1, 64, 6, 6), 255, np.uint8)}
    assert (run_tflite(written(model), feeds)[0] == signed(run_onnx(model, feeds)[0])).all()
