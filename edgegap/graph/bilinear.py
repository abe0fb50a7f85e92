"""Bilinear upsampling by whole numbers, as a depthwise Conv with one output channel per phase, and a depth-to-space.

Rules:
    1. Upsampled s-fold, row i s + r lies at row i + d of the input: d = (2 r + 1 - s) / 2 s for half-pixel coordinates,
       r / s for asymmetric ones. So it is a sum of rows i - 1, i and i + 1, with weights that depend on r alone; where
       there is no such row it is that of the edge.
    2. Resizes of mode linear by other numbers, with align_corners or antialiasing, are left to `resizing` to refuse.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.depth_to_space import depth_to_space
from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    graph_of,
    new_node,
    operand,
    refuse_between_quantizers,
    replace,
    shape_of,
)
from edgegap.graph.resizing import scale_of

_OFFSETS: dict[str, Callable[[int, int], float]] = {
    "asymmetric": lambda r, s: r / s,
    "half_pixel": lambda r, s: (2 * r + 1 - s) / (2 * s),
    "pytorch_half_pixel": lambda r, s: (2 * r + 1 - s) / (2 * s),
}


def rewrite_bilinear(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "Resize" and attribute(node, "mode", "nearest") == "linear":
            factors = _factors(node)
            if factors is not None:
                replace(node, _upsampled(node, *factors))
                changed = True
    return changed


def _factors(node: ir.Node) -> tuple[int, int] | None:
    """How often rows and columns are upsampled; None where rule 2 holds."""
    x, y = shape_of(operand(node)), shape_of(node.outputs[0])
    if len(x) != 4 or x[:2] != y[:2] or attribute(node, "antialias", 0):
        return None
    if attribute(node, "coordinate_transformation_mode", "half_pixel") not in _OFFSETS:
        return None
    factors = (y[2] // x[2], y[3] // x[3])
    whole = all(scale_of(node, axis) == factor for axis, factor in zip((2, 3), factors, strict=True))
    return factors if whole else None


def _upsampled(node: ir.Node, vertical: int, horizontal: int) -> ir.Value:
    x, name = operand(node), str(node.outputs[0].name)
    if vertical == horizontal == 1:
        return x
    refuse_between_quantizers(node)
    n, channels, h, w = shape_of(x)
    offset = _OFFSETS[attribute(node, "coordinate_transformation_mode", "half_pixel")]
    rows, columns = _weights(vertical, offset), _weights(horizontal, offset)
    top, left = rows.shape[1] // 2, columns.shape[1] // 2
    pads = add_initializer(graph_of(node), f"{name}_pads", np.array([0, 0, top, left] * 2, np.int64))
    shape = (n, channels, h + 2 * top, w + 2 * left)
    padded = new_node(node, "Pad", [x, pads], {"mode": "edge"}, name=f"{name}_padded", shape=shape).outputs[0]
    phases = np.einsum("ik,jl->ijkl", rows, columns).reshape(-1, 1, rows.shape[1], columns.shape[1])
    weight = np.tile(phases, (channels, 1, 1, 1)).astype(np.float32)
    inputs = [
        padded,
        add_initializer(graph_of(node), f"{name}_weight", weight),
        add_initializer(graph_of(node), f"{name}_bias", np.zeros(len(weight), np.float32)),
    ]
    attributes = {
        "kernel_shape": list(weight.shape[2:]),
        "strides": [1, 1],
        "dilations": [1, 1],
        "group": channels,
        "pads": [0, 0, 0, 0],
    }
    mixed = new_node(node, "Conv", inputs, attributes, name=f"{name}_phases", shape=(n, len(weight), h, w)).outputs[0]
    return depth_to_space(node, mixed, (vertical, horizontal), name=name)


def _weights(factor: int, offset: Callable[[int, int], float]) -> NDArray[np.float64]:
    """[factor, 3], of the rows before, at and behind each phase; [1, 1] where nothing is upsampled."""
    if factor == 1:
        return np.ones((1, 1))
    weights = np.zeros((factor, 3))
    for r in range(factor):
        below = int(np.floor(offset(r, factor)))
        share = offset(r, factor) - below
        weights[r, below + 1] += 1 - share
        if share:
            weights[r, below + 2] += share
    return weights
