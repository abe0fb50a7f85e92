"""Pools."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.nodes import attribute, operand, shape_of, unsupported
from edgegap.tflite.activation import limits
from edgegap.tflite.layout import NHWC
from edgegap.tflite.ops.pad import Window
from edgegap.tflite.writer import Writer

_KEEPS_SIGN = frozenset({"AveragePool", "Concat", "MaxPool", "Slice", "Transpose"})


def max_pool(node: ir.Node, w: Writer) -> None:
    """MAX_POOL_2D; pads that are not SAME become PAD where no value lies below zero, else PADV2 with the lowest."""
    x = operand(node)
    window, padding = _window(node)
    if len(node.outputs) > 1:
        raise unsupported(node, "it gives the indices of the maxima", "Use a pool without indices.")
    tensor = w.read(x, NHWC)
    if padding is None:
        value = None if _is_never_negative(x, w) else _lowest(x, w)
        tensor, padding = window.pad(tensor, w, f"{node.outputs[0].name}_padded", value), schema.Padding.VALID
    options = _options(window, padding)
    w.builder.operator(schema.BuiltinOperator.MAX_POOL_2D, [tensor], [w.define(node.outputs[0])], options)


def average_pool(node: ir.Node, w: Writer) -> None:
    """AVERAGE_POOL_2D, which counts no padding: pads that count are a PAD in front."""
    window, padding = _window(node)
    tensor = w.read(operand(node), NHWC)
    if any(window.pads) and attribute(node, "count_include_pad", 0):
        tensor, padding = window.pad(tensor, w, f"{node.outputs[0].name}_padded"), schema.Padding.VALID
    elif padding is None:
        raise unsupported(node, "its padding does not count", "Use count_include_pad=True.")
    options = _options(window, padding)
    w.builder.operator(schema.BuiltinOperator.AVERAGE_POOL_2D, [tensor], [w.define(node.outputs[0])], options)


def global_average_pool(node: ir.Node, w: Writer) -> None:
    """MEAN over height and width."""
    (x,) = w.operands(node)
    y = w.result(node)
    options = schema.ReducerOptionsT()
    options.keepDims = True
    inputs = [w.read(x, NHWC), w.indices(f"{y.name}_axes", (1, 2))]
    w.builder.operator(schema.BuiltinOperator.MEAN, inputs, [w.define(y)], options)


def _window(node: ir.Node) -> tuple[Window, int | None]:
    window = Window.of(node, tuple(attribute(node, "kernel_shape")))
    if window.dilations != (1, 1) or attribute(node, "ceil_mode", 0):
        raise unsupported(node, "dilation or ceil_mode of a pool", "Use a pool without them.")
    height, width = shape_of(operand(node))[2:]
    return window, window.padding(height, width)


def _options(window: Window, padding: int) -> Any:
    options = schema.Pool2DOptionsT()
    options.filterHeight, options.filterWidth = window.kernel
    options.strideH, options.strideW = window.strides
    options.padding = padding
    return options


def _is_never_negative(value: ir.Value, w: Writer) -> bool:
    if value in w.integers:
        return int(w.integers[value].zero_point[0]) == -128
    producer = value.producer()
    if producer is None:
        return False
    if producer.op_type in ("Clip", "Relu"):
        return limits(producer)[0] >= 0
    inputs = producer.inputs if producer.op_type == "Concat" else producer.inputs[:1]
    return producer.op_type in _KEEPS_SIGN and all(v is not None and _is_never_negative(v, w) for v in inputs)


def _lowest(value: ir.Value, w: Writer) -> int:
    quantization = w.integers.get(value)
    lowest = np.array([np.finfo(np.float32).min if quantization is None else -128])
    dtype = np.float32 if quantization is None else np.int8
    return w.builder.constant(f"{value.name}_lowest", lowest.astype(dtype), quantization)
