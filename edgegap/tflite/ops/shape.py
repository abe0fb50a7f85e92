"""Ops that move values and compute nothing; among integers they keep the parameters."""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.nodes import attribute, constant, operand, required_constant, shape_of, unsupported
from edgegap.tflite.layout import NHWC, permuted
from edgegap.tflite.tensors import constant_of
from edgegap.tflite.writer import Writer


def concat(node: ir.Node, w: Writer) -> None:
    """CONCATENATION."""
    y = node.outputs[0]
    layout = w.layouts.axes[y]
    inputs = []
    for value in w.operands(node):
        found = constant_of(value)
        if found is None:
            inputs.append(w.read(value, layout))
        else:
            inputs.append(w.constant(replace(found, quantization=w.integers.get(y)), found.data.transpose(layout)))
    options = schema.ConcatenationOptionsT()
    options.axis = layout.index(attribute(node, "axis") % len(layout))
    w.builder.operator(schema.BuiltinOperator.CONCATENATION, inputs, [w.define(y)], options)


def slice_(node: ir.Node, w: Writer) -> None:
    """STRIDED_SLICE."""
    x, y = operand(node), node.outputs[0]
    layout, shape = w.layouts.axes[y], shape_of(x)
    starts, ends = (required_constant(node, k, name).tolist() for k, name in ((1, "start"), (2, "end")))
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 else None
    steps = constant(node.inputs[4]) if len(node.inputs) > 4 else None
    ranges = [range(size) for size in shape]
    for k, axis in enumerate(range(len(starts)) if axes is None else axes.tolist()):
        step = 1 if steps is None else int(steps[k])
        if step < 1:
            raise unsupported(node, f"its step is {step}", "Slice forwards.")
        ranges[axis] = range(shape[axis])[starts[k] : ends[k] : step]
    inputs = [w.read(x, layout)]
    for field in ("start", "stop", "step"):
        inputs.append(w.indices(f"{y.name}_{field}", permuted(tuple(getattr(r, field) for r in ranges), layout)))
    w.builder.operator(schema.BuiltinOperator.STRIDED_SLICE, inputs, [w.define(y)], schema.StridedSliceOptionsT())


def reshape(node: ir.Node, w: Writer) -> None:
    """RESHAPE, of Flatten and Reshape alike."""
    y = node.outputs[0]
    tensor = w.read(operand(node), w.layouts.reshaped_from[node])
    w.reshape(tensor, permuted(shape_of(y), w.layouts.axes[y]), str(y.name), into=w.define(y))


def resize(node: ir.Node, w: Writer) -> None:
    """RESIZE_NEAREST_NEIGHBOR, whose default repeats rows and columns."""
    y = node.outputs[0]
    inputs = [w.read(operand(node), NHWC), w.indices(f"{y.name}_size", shape_of(y)[2:])]
    options = schema.ResizeNearestNeighborOptionsT()
    w.builder.operator(schema.BuiltinOperator.RESIZE_NEAREST_NEIGHBOR, inputs, [w.define(y)], options)


def transpose(node: ir.Node, w: Writer) -> None:
    """Nothing: the layout pass gave the output a layout under which the bytes are the input's."""
    w.alias(node.outputs[0], operand(node))
