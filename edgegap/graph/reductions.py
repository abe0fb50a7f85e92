"""Reductions other than global average pooling, in terms of ops that have an exact int8 form.

Rules, for a [N, C, H, W] value:
    1. GlobalMaxPool, and ReduceMax over both spatial axes, are a MaxPool of one window.
    2. ReduceSum over both spatial axes is H * W times the average.
    3. ReduceL2 over both spatial axes is a GlobalLpPool.
    4. ReduceMean and ReduceSum over the channels are a 1x1 Conv of equal weights.
Without keepdims a Reshape follows.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import (
    add_initializer,
    graph_of,
    new_node,
    operand,
    reduced_axes,
    reshaped,
    shape_of,
    take_over,
)


def rewrite_reductions(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        reduced = _reduced(node)
        if reduced is None:
            continue
        y = node.outputs[0]
        if shape_of(reduced) != shape_of(y):
            reduced = reshaped(node, reduced, shape_of(y), name=f"{y.name}_flat")
        take_over(node, reduced)
        changed = True
    return changed


def _reduced(node: ir.Node) -> ir.Value | None:
    """The value that `node` computes, with all axes kept; None where no rule is for it."""
    axes = _axes(node)
    if node.op_type in ("GlobalMaxPool", "ReduceMax") and axes == {2, 3}:
        return _maximum(node)
    if node.op_type == "ReduceSum" and axes == {2, 3}:
        return _sum(node)
    if node.op_type == "ReduceL2" and axes == {2, 3}:
        return _length(node)
    if node.op_type in ("ReduceMean", "ReduceSum") and axes == {1}:
        return _over_channels(node)
    return None


def _axes(node: ir.Node) -> set[int]:
    """The axes of a map that `node` reduces; none for any other node."""
    if not node.op_type.startswith(("Reduce", "Global")) or len(shape_of(operand(node))) != 4:
        return set()
    return {2, 3} if node.op_type == "GlobalMaxPool" else reduced_axes(node)


def _maximum(node: ir.Node) -> ir.Value:
    n, c, h, w = shape_of(operand(node))
    window = {"kernel_shape": [h, w], "strides": [1, 1], "pads": [0, 0, 0, 0]}
    name = f"{node.outputs[0].name}_maximum"
    return new_node(node, "MaxPool", [operand(node)], window, name=name, shape=(n, c, 1, 1)).outputs[0]


def _sum(node: ir.Node) -> ir.Value:
    n, c, h, w = shape_of(operand(node))
    name = node.outputs[0].name
    mean = new_node(node, "GlobalAveragePool", [operand(node)], name=f"{name}_mean", shape=(n, c, 1, 1)).outputs[0]
    positions = add_initializer(graph_of(node), f"{name}_positions", np.array(h * w, np.float32))
    return new_node(node, "Mul", [mean, positions], name=f"{name}_sum", shape=(n, c, 1, 1)).outputs[0]


def _length(node: ir.Node) -> ir.Value:
    n, c, *_ = shape_of(operand(node))
    name = f"{node.outputs[0].name}_length"
    return new_node(node, "GlobalLpPool", [operand(node)], {"p": 2}, name=name, shape=(n, c, 1, 1)).outputs[0]


def _over_channels(node: ir.Node) -> ir.Value:
    n, c, h, w = shape_of(operand(node))
    name = node.outputs[0].name
    share = 1 / c if node.op_type == "ReduceMean" else 1.0
    weight = add_initializer(graph_of(node), f"{name}_weight", np.full((1, c, 1, 1), share, np.float32))
    return new_node(node, "Conv", [operand(node), weight], name=f"{name}_conv", shape=(n, 1, h, w)).outputs[0]
