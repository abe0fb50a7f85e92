"""Conv and Gemm: weights in the order of TFLite's kernels."""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.nodes import attribute, shape_of
from edgegap.tflite.ops.pad import Window
from edgegap.tflite.tensors import required_constant_of
from edgegap.tflite.writer import Writer

_GROUPED_CONV = 6
"""The version of CONV_2D that has groups; older runtimes then refuse the file instead of computing nonsense."""


def conv(node: ir.Node, w: Writer) -> None:
    """CONV_2D, or DEPTHWISE_CONV_2D where each group is one channel; PAD in front where the pads are not SAME.

    ONNX counts the outputs of a depthwise convolution as channel * multiplier + m, and so does TFLite.
    """
    x = w.operands(node)[0]
    weight, bias = required_constant_of(node, 1, "weight"), required_constant_of(node, 2, "bias")
    window = Window.of(node, weight.data.shape[2:])
    _, channels, height, width = shape_of(x)
    groups = attribute(node, "group", 1)
    padding = window.padding(height, width)
    tensor = w.read(x, (0, 2, 3, 1))
    y, activation = w.activated_result(node)
    if padding is None:
        tensor, padding = window.pad(tensor, w, f"{y.name}_padded"), schema.Padding.VALID

    is_depthwise = groups == channels > 1
    options = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
    options.strideH, options.strideW = window.strides
    options.dilationHFactor, options.dilationWFactor = window.dilations
    options.padding, options.fusedActivationFunction = padding, activation
    version = None
    if is_depthwise:
        options.depthMultiplier = weight.data.shape[0] // channels
        kernel = weight.data.transpose(1, 2, 3, 0)
        if weight.quantization is not None:
            weight = replace(weight, quantization=replace(weight.quantization, axis=3))
    else:
        kernel = weight.data.transpose(0, 2, 3, 1)
        version = _GROUPED_CONV if groups > 1 else None
    builtin = schema.BuiltinOperator.DEPTHWISE_CONV_2D if is_depthwise else schema.BuiltinOperator.CONV_2D
    inputs = [tensor, w.constant(weight, kernel), w.constant(bias, bias.data)]
    w.builder.operator(builtin, inputs, [w.define(y)], options, version)


def gemm(node: ir.Node, w: Writer) -> None:
    """FULLY_CONNECTED; the columns of the weight follow those of a flattened map."""
    x = w.operands(node)[0]
    weight, bias = required_constant_of(node, 1, "weight"), required_constant_of(node, 2, "bias")
    columns = w.layouts.columns.get(x)
    kernel = weight.data if columns is None else weight.data[:, columns]
    options = schema.FullyConnectedOptionsT()
    y, options.fusedActivationFunction = w.activated_result(node)
    inputs = [w.read(x, (0, 1)), w.constant(weight, kernel), w.constant(bias, bias.data)]
    w.builder.operator(schema.BuiltinOperator.FULLY_CONNECTED, inputs, [w.define(y)], options)
