"""Padding in canonical form.

Rules:
    1. auto_pad (SAME_UPPER, SAME_LOWER, VALID) becomes explicit pads.
    2. A Pad with axes (opset 18 and later) is written over all axes; only constant padding is supported.
    3. A Pad by zeros of height and width in front of a Conv is that Conv's own padding.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    graph_of,
    operand,
    required_constant,
    shape_of,
    unsupported,
)


def resolve_auto_pad(node: ir.Node, kernel: list[int]) -> list[int]:
    """The explicit pads [top, left, bottom, right] of a Conv or pool node."""
    mode = attribute(node, "auto_pad", "NOTSET")
    if mode == "NOTSET":
        return list(attribute(node, "pads", [0, 0, 0, 0]))
    if mode == "VALID":
        return [0, 0, 0, 0]
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
        elif node.op_type == "Conv" and attribute(node, "pads") is not None:
            while _absorb_pad(node):
                changed = True
    return changed


def _write_over_all_axes(node: ir.Node) -> bool:
    if attribute(node, "mode", "constant") != "constant":
        raise unsupported(node, f"mode {attribute(node, 'mode')}", "Pad with zeros, or pad the images beforehand.")
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


def _absorb_pad(node: ir.Node) -> bool:
    pad = operand(node).producer()
    if pad is None or pad.op_type != "Pad" or attribute(pad, "mode", "constant") != "constant":
        return False
    if len(shape_of(operand(pad))) != 4:
        return False
    pads = constant(pad.inputs[1])
    value = constant(pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] is not None else np.float32(0)
    has_axes = len(pad.inputs) > 3 and pad.inputs[3] is not None
    if pads is None or value is None or np.any(value != 0) or has_axes or pads[[0, 1, 4, 5]].any() or (pads < 0).any():
        return False
    own = attribute(node, "pads")
    total = [int(own[k] + pads[index]) for k, index in enumerate((2, 3, 6, 7))]
    node.attributes["pads"] = ir.AttrInt64s("pads", total)
    node.replace_input_with(0, operand(pad))
    return True
