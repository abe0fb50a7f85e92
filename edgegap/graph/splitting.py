"""Taking parts of a value, in terms of Slice.

Rules:
    1. Each output of a Split is a Slice.
    2. Gather of constant indices that count up by one is a Slice; a single index without an axis of its own is
       a Reshape behind it. Indices in another order are a Concat of the runs that count up by one; of channels in many
       runs, a 1x1 Conv whose every output is one of its inputs.
    3. Gather of every element of a flattened value in order is a Reshape: so torch exports as_strided, which an average
       of maps in channels-last memory ends in.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    graph_of,
    new_node,
    operand,
    refuse_between_quantizers,
    required_constant,
    reshaped,
    shape_of,
    take_over,
    unsupported,
)

_MOST_RUNS = 16
"""Slices that a Gather may become: a longer Concat costs more than a Conv."""


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
    runs = np.split(flat, np.flatnonzero(np.diff(flat) != 1) + 1)
    if indices.ndim > 1 or not len(flat):
        raise unsupported(node, f"its indices have the shape {list(indices.shape)}", "Give it a list of indices.")
    if len(runs) > _MOST_RUNS and (axis % len(shape_of(x)), len(shape_of(x))) != (1, 4):
        raise unsupported(node, f"its indices come in {len(runs)} runs", "Take slices, and join them with cat.")
    if len(runs) > _MOST_RUNS:
        take_over(node, _picked(node, x, flat))
        return
    parts = [slice_of(node, x, axis, int(run[0]), int(run[-1]) + 1, str(y.name)) for run in runs]
    part = parts[0]
    if len(parts) > 1:
        part = new_node(node, "Concat", parts, {"axis": axis}, name=f"{y.name}_joined", shape=shape_of(y)).outputs[0]
    if indices.ndim == 0:
        shape = add_initializer(graph_of(node), f"{y.name}_shape", np.array(shape_of(y), np.int64))
        part = new_node(node, "Reshape", [part, shape], name=f"{y.name}_alone", shape=shape_of(y)).outputs[0]
    take_over(node, part)


def _picked(node: ir.Node, x: ir.Value, indices: NDArray[np.int64]) -> ir.Value:
    """The channels of those indices."""
    refuse_between_quantizers(node)
    name, weight = f"{node.outputs[0].name}_picked", np.eye(shape_of(x)[1], dtype=np.float32)[indices][:, :, None, None]
    inputs = [x, add_initializer(graph_of(node), f"{name}_weight", weight)]
    return new_node(node, "Conv", inputs, name=name, shape=shape_of(node.outputs[0])).outputs[0]


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
