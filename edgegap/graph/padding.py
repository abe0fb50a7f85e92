"""Padding in canonical form.

Rules:
    1. auto_pad (SAME_UPPER, SAME_LOWER, VALID) becomes explicit pads.
    2. A Pad with axes (opset 18 and later) is written over all axes.
    3. A Pad by reflection or by the edge joins slices of the value, one for each row and column that it adds.
    4. A Pad by zeros of height and width in front of a Conv is that Conv's own padding; so is one by minus infinity, or
       a number that stands for it, in front of a MaxPool.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    graph_of,
    new_node,
    operand,
    replace,
    required_constant,
    shape_of,
    unsupported,
)
from edgegap.graph.splitting import slice_of

HUGE = 1e30
"""What is larger stands for infinity: no activation of a network gets there."""


def resolve_auto_pad(node: ir.Node, kernel: list[int]) -> list[int]:
    """The explicit pads of a Conv or pool node: of all axes in front, then of all axes behind."""
    mode = attribute(node, "auto_pad", "NOTSET")
    if mode == "NOTSET":
        return list(attribute(node, "pads", [0] * 2 * len(kernel)))
    if mode == "VALID":
        return [0] * 2 * len(kernel)
    strides, dilations = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
    totals = [
        max((-(-size // strides[d]) - 1) * strides[d] + (kernel[d] - 1) * dilations[d] + 1 - size, 0)
        for d, size in enumerate(shape_of(operand(node))[2:])
    ]
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    return small + large if mode == "SAME_UPPER" else large + small


def normalize_padding(model: ir.Model) -> bool:
    """Apply the rules above in place (rule 1 for pools; `normalize_linear` does convolutions)."""
    changed = False
    for node in model.graph:
        if node.op_type in ("MaxPool", "AveragePool") and attribute(node, "auto_pad", "NOTSET") != "NOTSET":
            pads = resolve_auto_pad(node, attribute(node, "kernel_shape"))
            node.attributes["pads"] = ir.AttrInt64s("pads", pads)
            node.attributes["auto_pad"] = ir.AttrString("auto_pad", "NOTSET")
            changed = True
        elif node.op_type == "Pad":
            changed |= _write_over_all_axes(node)
            changed |= _join_slices(node)
        if node.op_type == "MaxPool" or (node.op_type == "Conv" and attribute(node, "pads") is not None):
            while _absorb_pad(node):
                changed = True
    return changed


def _write_over_all_axes(node: ir.Node) -> bool:
    rank = len(shape_of(operand(node)))
    pads = required_constant(node, 1, "amount of padding")
    if (pads < 0).any():
        raise unsupported(node, "negative padding", "Crop with a slice instead.")
    if len(node.inputs) < 4 or node.inputs[3] is None:
        return False
    axes = required_constant(node, 3, "axes")
    full = np.zeros(2 * rank, np.int64)
    for k, axis in enumerate(axes):
        full[axis % rank], full[axis % rank + rank] = pads[k], pads[k + len(axes)]
    node.replace_input_with(1, add_initializer(graph_of(node), f"{node.name}_pads", full))
    node.resize_inputs(3)
    return True


def _join_slices(node: ir.Node) -> bool:
    """Rule 3: rows are mirrored around the outermost one (reflect), or it is repeated (edge)."""
    mode = attribute(node, "mode", "constant")
    if mode == "constant":
        return False
    if mode not in ("reflect", "edge"):
        raise unsupported(node, f"mode {mode}", "Pad with zeros, by reflection or by the edge.")
    value, rank = operand(node), len(shape_of(operand(node)))
    pads = required_constant(node, 1, "amount of padding").tolist()
    for axis in range(rank):
        size, before, after = shape_of(value)[axis], pads[axis], pads[axis + rank]
        if mode == "reflect" and max(before, after) >= size:
            raise unsupported(node, f"it mirrors {max(before, after)} of {size} rows", "Pad by less.")
        step = 1 if mode == "reflect" else 0
        first = [step * k for k in range(before, 0, -1)]
        last = [size - 1 - step * k for k in range(1, after + 1)]
        if first or last:
            above, below = ([_row(node, value, axis, k) for k in rows] for rows in (first, last))
            joined = [*above, value, *below]
            shape = list(shape_of(value))
            shape[axis] += before + after
            name = f"{node.outputs[0].name}_{mode}{axis}"
            value = new_node(node, "Concat", joined, {"axis": axis}, name=name, shape=shape).outputs[0]
    replace(node, value)
    return True


def _row(node: ir.Node, value: ir.Value, axis: int, k: int) -> ir.Value:
    return slice_of(node, value, axis, k, k + 1, f"{value.name}_row{axis}_{k}")


def _absorb_pad(node: ir.Node) -> bool:
    pad = operand(node).producer()
    if pad is None or pad.op_type != "Pad" or attribute(pad, "mode", "constant") != "constant":
        return False
    if len(shape_of(operand(pad))) != 4:
        return False
    pads = constant(pad.inputs[1])
    value = constant(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] is not None else np.float32(0)
    has_axes = len(pad.inputs) > 3 and pad.inputs[3] is not None
    if pads is None or value is None or has_axes or pads[[0, 1, 4, 5]].any() or (pads < 0).any():
        return False
    own = attribute(node, "pads", [0, 0, 0, 0])
    total = [int(own[k] + pads[index]) for k, index in enumerate((2, 3, 6, 7))]
    if node.op_type == "Conv":
        fits = not np.any(value)
    else:
        kernel = attribute(node, "kernel_shape")
        fits = value.item() <= -HUGE and all(total[k] < kernel[k % 2] for k in range(4))
    if not fits:
        return False
    node.attributes["pads"] = ir.AttrInt64s("pads", total)
    node.replace_input_with(0, operand(pad))
    return True
