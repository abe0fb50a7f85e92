"""What stays in float once some layers do: in a lowered model to be written, and in a QDQ model in normal form."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import onnx_ir as ir

from edgegap.graph.nodes import constant, operand
from edgegap.quantize.lower import ACTIVATIONS

LINEAR = frozenset({"Conv", "Gemm"})
"""Ops with weights: the layers that may stay in float."""

HEAD = frozenset({"GlobalAveragePool", "Flatten", "Reshape"})
"""What may stand in float behind such a layer, up to the next one or to the output."""


def real_values(model: ir.Model, layers: Collection[str], io: Literal["float", "int8"]) -> frozenset[str]:
    """The values of a lowered model that are not quantized once `layers` stay in float, by name.

    Such a value is computed in float, and nothing but float ops reads it or it is the output.

    Args:
        model: a lowered model.
        layers: the names of the outputs of Conv and Gemm nodes.
        io: whether the output is float, or integers.
    """
    wanted: set[ir.Value] = set()
    for node in reversed(model.graph):
        y = node.outputs[0]
        may = node.op_type in ACTIVATIONS | HEAD or _is_kept(node, layers)
        ends = io == "float" or not y.is_graph_output()
        if may and ends and all(_is_kept(reader, layers) or reader.outputs[0] in wanted for reader in y.consumers()):
            wanted.add(y)
    real: set[ir.Value] = set()
    for node in model.graph:
        if node.outputs[0] in wanted and (_is_kept(node, layers) or operand(node) in real):
            real.add(node.outputs[0])
    return frozenset(str(value.name) for value in real)


def float_nodes(model: ir.Model) -> list[ir.Node]:
    """The nodes of a QDQ model in normal form that compute in float, in the graph's order."""
    found: list[ir.Node] = []
    values: set[ir.Value] = set()
    for node in model.graph:
        kept = node.op_type in LINEAR and constant(node.inputs[1]) is not None
        if kept or (node.op_type in ACTIVATIONS | HEAD and operand(node) in values):
            found.append(node)
            values.update(node.outputs)
    return found


def names_in_front(model: ir.Model) -> frozenset[str]:
    """The values of a QDQ model in normal form that depend on no float op, by name."""
    floats, behind = float_nodes(model), set[ir.Value]()
    for node in model.graph:
        if node in floats or any(value in behind for value in node.inputs):
            behind.update(node.outputs)
    return frozenset(str(value.name) for node in model.graph for value in node.outputs if value not in behind)


def _is_kept(node: ir.Node, layers: Collection[str]) -> bool:
    return node.op_type in LINEAR and str(node.outputs[0].name) in layers
