"""The file: boundary, names, buffers, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgegap.errors import ModelError, UnsupportedOpError
from edgegap.tflite import write_tflite

from .nets import Net, QuantizedNet
from .runtimes import interpreter_of, operators, parsed, run_onnx, run_tflite, signed, tensors_of, written


def net_with_float_boundary() -> tuple[QuantizedNet, onnx.ModelProto]:
    """Input, conv, pool, add of the two, GAP, flatten, gemm, output: float outside, integers inside."""
    net = QuantizedNet()
    x = net.quantize(net.input("image", (1, 3, 8, 8)), 0.02, 128)
    a = net.quantized_conv(x, (6, 3, 3, 3), 0, pads=[1, 1, 1, 1])
    pooled = net.keep("MaxPool", a, "pooled", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    scale = float(net.parameters[a][0])
    total = net.arithmetic("Add", [a, pooled], scale * 2 * 1023 / 1021, 0)
    mean = net.arithmetic("GlobalAveragePool", [total], scale, 0)
    flat = net.keep("Flatten", mean, "flat", axis=1)
    net.dequantize(net.quantized_gemm(flat, 10, 6, 128), "logits")
    return net, net.model("logits")


def test_float_outside_integers_inside() -> None:
    _, model = net_with_float_boundary()
    data = written(model)
    assert operators(data) == [
        *("QUANTIZE", "CONV_2D", "MAX_POOL_2D", "ADD", "MEAN", "RESHAPE", "FULLY_CONNECTED", "DEQUANTIZE")
    ]
    interpreter = interpreter_of(data, keep_all=False)
    (x,), (y,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (x["name"], x["dtype"], x["shape"].tolist()) == ("image", np.float32, [1, 8, 8, 3])
    assert (y["name"], y["dtype"], y["shape"].tolist()) == ("logits", np.float32, [1, 10])


def test_every_activation_can_be_compared_by_name() -> None:
    net, model = net_with_float_boundary()
    names = [n for n in net.parameters if n in {o for node in model.graph.node for o in node.output}]
    assert len(names) == 7
    # each pixel in the middle of its quantization step: the two quantizers then agree
    feeds = {"image": (net.rng.integers(-100, 100, (1, 3, 8, 8)) * np.float32(0.02)).astype(np.float32)}
    ours, theirs = run_tflite(written(model), feeds, *names), run_onnx(model, feeds, *names)
    for name, a, b in zip(names, ours, theirs, strict=True):
        assert (a == signed(b)).all(), name


def test_uint8_input_and_output_become_int8_under_their_own_names() -> None:
    net = QuantizedNet()
    x = net.uint8_input("pixels", (1, 3, 8, 8), 100, 0.5)
    pooled = net.keep("MaxPool", x, "pooled", kernel_shape=[2, 2])
    y = net.quantized_conv(pooled, (6, 3, 3, 3), 30)
    interpreter = interpreter_of(written(net.integer_model(y)), keep_all=False)
    (x_detail,), (y_detail,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (x_detail["name"], x_detail["dtype"], x_detail["quantization"]) == ("pixels", np.int8, (0.5, -28))
    assert (y_detail["name"], y_detail["dtype"], y_detail["quantization"][1]) == (y, np.int8, -98)


def test_the_same_net_on_int8_values_gives_the_same_file() -> None:
    net = QuantizedNet()
    net.dequantize(net.quantized_conv(net.quantize(net.input("x", (1, 3, 6, 6)), 0.02, 128), (4, 3, 3, 3), 5), "y")
    model = net.model("y")
    as_int8 = onnx.ModelProto.FromString(model.SerializeToString())
    del as_int8.graph.value_info[:]
    for initializer in as_int8.graph.initializer:
        if initializer.data_type == onnx.TensorProto.UINT8:
            array = signed(onnx.numpy_helper.to_array(initializer))
            initializer.CopyFrom(onnx.numpy_helper.from_array(array, initializer.name))
    as_int8 = onnx.shape_inference.infer_shapes(as_int8)
    assert written(as_int8) == written(model)


def test_a_tensor_in_an_order_of_its_own_does_not_bear_the_values_name() -> None:
    net = Net()
    flat = net.op("Flatten", [net.input("x", (1, 3, 6, 8))], "flat", axis=1)
    tensors = tensors_of(written(net.model(net.gemm(flat, 4, 144))))
    assert "flat" not in tensors
    assert "flat_hwc" in tensors


def test_an_output_that_is_the_input_in_another_order_has_its_own_name() -> None:
    net = Net()
    y = net.op("Transpose", [net.input("x", (2, 5))], "y", perm=[0, 1])
    data = written(net.model(y))
    values = net.normal(2, 5)
    assert (run_tflite(data, {"x": values}, "y")[0] == values).all()


def test_float_values_between_quantized_ones_are_computed_in_float() -> None:
    net = QuantizedNet()
    x = net.dequantize(net.quantize(net.input("x", (1, 3, 6, 6)), 0.02, 128))
    y = net.op("Clip", [x, net.constant(-0.5, np.float32), net.constant(0.5, np.float32)])
    net.dequantize(net.quantize(y, 0.01, 128), "y")
    model = net.model("y")
    data = written(model)
    assert operators(data) == ["QUANTIZE", "DEQUANTIZE", "MAXIMUM", "MINIMUM", "QUANTIZE", "DEQUANTIZE"]
    feeds = {"x": net.rng.integers(-20, 21, (1, 3, 6, 6)).astype(np.float32) * np.float32(0.02)}
    np.testing.assert_allclose(run_tflite(data, feeds)[0], run_onnx(model, feeds)[0], atol=0.01001)


def test_the_file_is_a_tflite_file_with_aligned_and_shared_buffers() -> None:
    net = Net()
    x = net.input("x", (1, 4, 6, 6))
    y = net.conv(x, (4, 4, 1, 1))
    weights = net.nodes[0].input[1:]
    net.op("Conv", [y, *weights], "z", kernel_shape=[1, 1], strides=[1, 1], pads=[0] * 4, dilations=[1, 1], group=1)
    data = written(net.model("z"))
    assert data[4:8] == b"TFL3"
    model = schema.Model.GetRootAsModel(data, 0)
    assert model.Version() == 3
    filled = [model.Buffers(k) for k in range(model.BuffersLength()) if model.Buffers(k).DataLength()]
    assert len(filled) == 2
    for buffer in filled:
        start = buffer._tab.Vector(buffer._tab.Offset(4))
        assert start % 16 == 0


def test_the_file_depends_on_nothing_but_the_model_and_leaves_it_alone() -> None:
    _, proto = net_with_float_boundary()
    model = ir.from_proto(proto)
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    first = write_tflite(model)
    assert write_tflite(model) == first
    assert write_tflite(ir.from_proto(proto)) == first
    assert ir.to_proto(model).SerializeToString(deterministic=True) == before


def test_the_description_is_in_the_file() -> None:
    _, proto = net_with_float_boundary()
    assert parsed(write_tflite(ir.from_proto(proto), description="resnet8, int8")).description == b"resnet8, int8"


def test_an_op_without_spelling_is_named_with_its_module() -> None:
    net = Net()
    net.op("Erf", [net.input("x", (1, 4))], "y")
    model = ir.from_proto(net.model("y"))
    model.graph[0].metadata_props["pkg.torch.onnx.name_scopes"] = "['', 'features.3.act', 'erf']"
    with pytest.raises(UnsupportedOpError) as caught:
        write_tflite(model)
    assert "Erf" in caught.value.what
    assert "y_node" in caught.value.where
    assert "features.3.act" in caught.value.where
    assert caught.value.hint


def test_an_op_of_another_domain_is_not_taken_for_onnxs_own() -> None:
    model = ir.from_proto(relu_net())
    model.graph[0].domain = "com.example"
    with pytest.raises(UnsupportedOpError, match=r"com\.example::Relu"):
        write_tflite(model)


def relu_net() -> onnx.ModelProto:
    net = Net()
    return net.model(net.op("Relu", [net.input("x", (1, 4))]))


def test_quantized_weights_in_float_arithmetic_are_refused() -> None:
    net = QuantizedNet()
    x = net.input("x", (2, 8))
    weight = net.dequantized_constant(net.rng.integers(-9, 9, (4, 8)).astype(np.int8), np.ones(4), np.zeros(4), axis=0)
    y = net.op("Gemm", [x, weight, net.constant(net.normal(4))], transB=1)
    with pytest.raises(UnsupportedOpError, match="constants are quantized"):
        written(net.model(y))


def test_an_integer_input_of_unknown_scale_is_refused() -> None:
    net = QuantizedNet()
    y = net.keep("MaxPool", net.uint8_input("x", (1, 3, 6, 6)), "y", kernel_shape=[2, 2])
    with pytest.raises(ModelError, match="'x' holds integers"):
        written(net.integer_model(y))


def test_a_dynamic_shape_is_refused() -> None:
    model = ir.from_proto(relu_net())
    model.graph.inputs[0].shape = ir.Shape(["batch", 4])
    with pytest.raises(ModelError, match="not static"):
        write_tflite(model)


def test_more_than_2_gib_are_refused_before_they_are_copied() -> None:
    width = 2**29 + 1
    x, y = (ir.val(n, dtype=ir.DataType.FLOAT, shape=ir.Shape([1, width])) for n in "xy")
    tensor = ir.Tensor(np.broadcast_to(np.float32(1), (1, width)), name="w")
    w = ir.val("w", dtype=ir.DataType.FLOAT, shape=ir.Shape([1, width]), const_value=tensor)
    graph = ir.Graph([x], [y], nodes=[ir.node("Mul", [x, w], outputs=[y])], initializers=[w], name="huge")
    with pytest.raises(ModelError, match="2 GiB"):
        write_tflite(ir.Model(graph, ir_version=10))
