"""The larger or smaller of several maps, as a MaxPool over them stacked: nothing is computed, so nothing is rounded.

Rules, for values of one shape, [N, C, H, W] or [N, K]:
    1. Max stacks them as the rows of a map [N, C, n, H W], and takes a MaxPool of n rows.
    2. Min is -Max(-a, -b).
    3. Abs is Max(x, -x).
The products by -1 fold into the layers around, or become a depthwise Conv (`affine`). Max and Min with a number are a
Clip (`activations`).
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import (
    add_initializer,
    constant,
    graph_of,
    new_node,
    operand,
    refuse_between_quantizers,
    reshaped,
    shape_of,
    take_over,
)


def rewrite_extremes(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type not in ("Abs", "Max", "Min") or not _are_alike(node):
            continue
        refuse_between_quantizers(node)
        values = [operand(node, k) for k in range(len(node.inputs))]
        name = f"{node.outputs[0].name}_extreme"
        if node.op_type == "Abs":
            largest = _largest(node, [*values, _negative(node, values[0])], name)
        elif node.op_type == "Max":
            largest = _largest(node, values, name)
        else:
            largest = _negative(node, _largest(node, [_negative(node, value) for value in values], name))
        take_over(node, largest)
        changed = True
    return changed


def _are_alike(node: ir.Node) -> bool:
    """Whether all that `node` reads is computed, and has the shape of a map or a row."""
    shapes = {shape_of(value) for value in (*node.inputs, *node.outputs) if value is not None}
    computed = all(constant(value) is None for value in node.inputs)
    return computed and len(shapes) == 1 and len(next(iter(shapes))) in (2, 4)


def _negative(like: ir.Node, x: ir.Value) -> ir.Value:
    name = f"{x.name}_negative"
    minus = add_initializer(graph_of(like), f"{name}_minus", np.array(-1, np.float32))
    return new_node(like, "Mul", [x, minus], name=name, shape=shape_of(x)).outputs[0]


def _largest(like: ir.Node, values: list[ir.Value], name: str) -> ir.Value:
    """Rule 1."""
    shape, count = shape_of(values[0]), len(values)
    n, channels = shape[:2]
    positions = prod(shape[2:])
    rows = [reshaped(like, x, (n, channels, 1, positions), name=f"{name}_row") for x in values]
    stacked = new_node(like, "Concat", rows, {"axis": 2}, name=f"{name}_rows", shape=(n, channels, count, positions))
    window = {"kernel_shape": [count, 1], "strides": [1, 1], "pads": [0, 0, 0, 0]}
    pooled = new_node(like, "MaxPool", stacked.outputs, window, name=f"{name}_row", shape=(n, channels, 1, positions))
    return reshaped(like, pooled.outputs[0], shape, name=name)
