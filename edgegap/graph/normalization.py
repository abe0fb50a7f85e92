"""Layer normalization over the channels, and nothing else: what training scaled and shifted behind it stands apart.

Rules, for a LayerNormalization over the last axis of a [N, H, W, C] or [N, C] value:
    1. It has a scale of ones and no bias. A BatchNormalization behind it applies what it had, and folds like any other
       (`affine`): mostly into the layer that reads it.
    2. On [N, H, W, C] that BatchNormalization stands between two Transposes.
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
    required_constant,
    shape_of,
    take_over,
    unsupported,
)

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


def normalize_layer_norms(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "LayerNormalization" and _is_over_channels(node):
            changed |= _set_apart(node)
    return changed


def check_layer_norm(node: ir.Node) -> None:
    """Raise UnsupportedOpError for a LayerNormalization that has no canonical form."""
    if not _is_over_channels(node):
        what = f"it normalizes the axes from {attribute(node, 'axis', -1)} on of {list(shape_of(operand(node)))}"
        raise unsupported(node, what, "Normalize the channels of [N, H, W, C] alone, or use BatchNorm.")


def _is_over_channels(node: ir.Node) -> bool:
    rank, more = len(shape_of(operand(node))), node.outputs[1:]
    return rank in (2, 4) and attribute(node, "axis", -1) in (-1, rank - 1) and not any(y.uses() for y in more)


def _set_apart(node: ir.Node) -> bool:
    x, y = operand(node), node.outputs[0]
    gamma = required_constant(node, 1, "scale")
    has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
    if not has_bias and (gamma == 1).all() and attribute(node, "axis", -1) == -1 and "epsilon" in node.attributes:
        return False
    shape = shape_of(x)
    beta = required_constant(node, 2, "bias") if has_bias else np.zeros(shape[-1], np.float32)
    value = normalized(node, x, attribute(node, "epsilon", 1e-5), name=f"{y.name}_norm")
    if (gamma == 1).all() and not beta.any():
        take_over(node, value)
        return True
    image = tuple(shape[axis] for axis in TO_NCHW) if len(shape) == 4 else shape
    if len(shape) == 4:
        value = new_node(node, "Transpose", [value], {"perm": TO_NCHW}, name=f"{y.name}_nchw", shape=image).outputs[0]
    value = scaled(node, value, gamma, beta, name=str(y.name))
    if len(shape) == 4:
        value = new_node(node, "Transpose", [value], {"perm": TO_NHWC}, name=f"{y.name}_nhwc", shape=shape).outputs[0]
    take_over(node, value)
    return True


def normalized(like: ir.Node, x: ir.Value, epsilon: float, *, name: str) -> ir.Value:
    """`x` behind a LayerNormalization of its last axis under rule 1, put in front of `like`."""
    shape = shape_of(x)
    scale = add_initializer(graph_of(like), f"{name}_ones", np.ones(shape[-1], np.float32))
    attributes = {"axis": -1, "epsilon": epsilon}
    return new_node(like, "LayerNormalization", [x, scale], attributes, name=name, shape=shape).outputs[0]


def scaled(like: ir.Node, x: ir.Value, gamma: NDArray[np.float32], beta: NDArray[np.float32], *, name: str) -> ir.Value:
    """`x` [N, C, ...] times gamma [C] plus beta [C]: behind a BatchNormalization, put in front of `like`."""
    ones, zeros = np.ones(len(gamma), np.float32), np.zeros(len(gamma), np.float32)
    parameters = [
        add_initializer(graph_of(like), f"{name}_{what}", array)
        for what, array in (("gamma", gamma), ("beta", beta), ("mean", zeros), ("var", ones))
    ]
    y = new_node(like, "BatchNormalization", [x, *parameters], {"epsilon": 0.0}, name=f"{name}_bn").outputs[0]
    y.shape = x.shape
    return y
