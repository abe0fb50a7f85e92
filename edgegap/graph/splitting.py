"""Taking parts of a value, in terms of Slice.

Rules:
    1. Each output of a Split is a Slice.
    2. Gather of constant indices that count up by one is a Slice; a single index without an axis of its own is
       a Reshape behind it.
    3. Gather of every element of a flattened value in order is a Reshape: so torch exports as_strided, which an average
       of maps in channels-last memory ends in.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    graph_of,
    new_node,
    operand,
    required_constant,
    reshaped,
    shape_of,
    take_over,
    unsupported,
)


def rewrite_splits(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "Split":
            _split(node)
        elif node.op_type == "Gather":
            _gather(node)
        else:
            continue
        changed = True
    return changed


def _split(node: ir.Node) -> None:
    x, axis = operand(node), attribute(node, "axis", 0)
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        sizes = required_constant(node, 1, "sizes").tolist()
    else:
        parts, size = len(node.outputs), shape_of(x)[axis]
        each = -(-size // parts)
        sizes = [min(each, size - k * each) for k in range(parts)]
    start, taken = 0, []
    for output, size in zip(node.outputs, sizes, strict=True):
        taken.append((output, slice_of(node, x, axis, start, start + size, str(output.name))))
        start += size
    for output, value in taken:
        output.replace_all_uses_with(value, replace_graph_outputs=True)
    graph_of(node).remove(node, safe=True)
    for output, value in taken:
        value.name, output.name = output.name, None


def _gather(node: ir.Node) -> None:
    x, y, axis = operand(node), node.outputs[0], attribute(node, "axis", 0)
    indices = required_constant(node, 1, "indices")
    flat = indices.reshape(-1) % shape_of(x)[axis]
    if len(shape_of(x)) == 1 and np.array_equal(flat, np.arange(shape_of(x)[0])):
        _reshape_whole(node)
        return
    if indices.ndim > 1 or not len(flat) or (np.diff(flat) != 1).any():
        raise unsupported(node, "its indices do not count up by one", "Take slices, and join them with cat.")
    part = slice_of(node, x, axis, int(flat[0]), int(flat[-1]) + 1, str(y.name))
    if indices.ndim == 0:
        shape = add_initializer(graph_of(node), f"{y.name}_shape", np.array(shape_of(y), np.int64))
        part = new_node(node, "Reshape", [part, shape], name=f"{y.name}_alone", shape=shape_of(y)).outputs[0]
    take_over(node, part)


def _reshape_whole(node: ir.Node) -> None:
    x, y = operand(node), node.outputs[0]
    flattening = x.producer()
    source = operand(flattening) if flattening is not None and flattening.op_type == "Reshape" else x
    take_over(node, reshaped(node, source, shape_of(y), name=f"{y.name}_whole"))


def slice_of(node: ir.Node, x: ir.Value, axis: int, start: int, end: int, name: str, step: int = 1) -> ir.Value:
    """`x[start:end:step]` along one axis, put in front of `node`; its name begins with `name`."""
    columns = (("starts", start), ("ends", end), ("axes", axis % len(shape_of(x))), ("steps", step))
    inputs = [add_initializer(graph_of(node), f"{name}_{what}", np.array([k], np.int64)) for what, k in columns]
    shape = list(shape_of(x))
    shape[axis] = len(range(start, end, step))
    return new_node(node, "Slice", [x, *inputs], name=f"{name}_part", shape=shape).outputs[0]
