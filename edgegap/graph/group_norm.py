"""Normalization of the map of each channel, or of a group of channels: a LayerNormalization of a Reshape.

Wu & He, 'Group Normalization', 2018; Ulyanov, Vedaldi & Lempitsky, 'Instance Normalization', 2016.

Rules:
    1. GroupNormalization in G groups is an InstanceNormalization of [N, G, K], as torch writes it. Scale and bias of
       each channel are a BatchNormalization behind it; those of each group, which opsets before 21 have, are its own.
    2. InstanceNormalization of a map [N, C, H, W] is a LayerNormalization of [N, C, 1, H W] over the last axis. A
       BatchNormalization of the map behind it applies scale and bias.
    3. A line [N, C, L] is a map [N, C, 1, L].
"""

from __future__ import annotations

from math import prod

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
)
from edgegap.graph.normalization import normalized, scaled


def spell_group_norms(model: ir.Model) -> bool:
    """Rule 1, in place; needs no shapes, of which ONNX infers none behind this op. Says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "GroupNormalization":
            _spell_group_norm(node)
            changed = True
    return changed


def rewrite_instance_norms(model: ir.Model) -> bool:
    """Rules 2 and 3, in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "InstanceNormalization" and len(shape_of(operand(node))) in (3, 4):
            _rewrite_instance_norm(node)
            changed = True
    return changed


def _spell_group_norm(node: ir.Node) -> None:
    x, name, groups = operand(node), str(node.outputs[0].name), attribute(node, "num_groups")
    gamma, beta = required_constant(node, 1, "scale"), required_constant(node, 2, "bias")
    of_groups = (gamma, beta) if len(gamma) == groups else (np.ones(groups, np.float32), np.zeros(groups, np.float32))
    rows = add_initializer(graph_of(node), f"{name}_rows_shape", np.array([0, groups, -1], np.int64))
    parameters = [
        add_initializer(graph_of(node), f"{name}_{what}_of_groups", array)
        for what, array in zip(("gamma", "beta"), of_groups, strict=True)
    ]
    value = new_node(node, "Reshape", [x, rows], name=f"{name}_rows").outputs[0]
    attributes = {"epsilon": attribute(node, "epsilon", 1e-5)}
    value = new_node(node, "InstanceNormalization", [value, *parameters], attributes, name=f"{name}_norm").outputs[0]
    shape = new_node(node, "Shape", [x], name=f"{name}_shape").outputs[0]
    shape.dtype = ir.DataType.INT64
    value = new_node(node, "Reshape", [value, shape], name=f"{name}_map").outputs[0]
    take_over(node, value if len(gamma) == groups else scaled(node, value, gamma, beta, name=name))


def _rewrite_instance_norm(node: ir.Node) -> None:
    x, y = operand(node), node.outputs[0]
    batch, channels, *spatial = shape_of(x)
    image = (batch, channels, *[1] * (2 - len(spatial)), *spatial)
    gamma, beta = required_constant(node, 1, "scale"), required_constant(node, 2, "bias")
    value = reshaped(node, _before_reshape(x), (batch, channels, 1, prod(spatial)), name=f"{y.name}_rows")
    value = normalized(node, value, attribute(node, "epsilon", 1e-5), name=f"{y.name}_norm")
    value = reshaped(node, value, image, name=f"{y.name}_map")
    if (gamma != 1).any() or beta.any():
        value = scaled(node, value, gamma, beta, name=str(y.name))
    take_over(node, value if shape_of(y) == image else reshaped(node, value, shape_of(y), name=f"{y.name}_line"))


def _before_reshape(x: ir.Value) -> ir.Value:
    """What a Reshape reads that made `x` of each image; else `x`."""
    maker = x.producer()
    if maker is None or maker.op_type != "Reshape" or shape_of(operand(maker))[:1] != shape_of(x)[:1]:
        return x
    return operand(maker)
