"""What kind of head a canonical network ends in.

gap         class maps from the last convolution, averaged into logits (Lin, Chen & Yan, 'Network In Network', 2013),
            with or without a ReLU on the maps
gap-linear  global average, then one linear layer: class activation maps exist
            (Zhou et al., 'Learning Deep Features for Discriminative Localization', 2016)
fc          any other network that ends in a fully connected layer
none        anything else
"""

from __future__ import annotations

from typing import Literal

import onnx_ir as ir

from edgegap.graph.nodes import operand, shape_of

Head = Literal["gap", "gap-linear", "fc", "none"]

_SHAPE_ONLY = {"Flatten", "Reshape", "Identity"}
_ACTIVATIONS = {"Relu", "Clip"}


def head_of(model: ir.Model) -> Head:
    """The head of a canonical float model."""
    node = _producer(model.graph.outputs[0], _SHAPE_ONLY)
    if node is None:
        return "none"
    if node.op_type == "GlobalAveragePool":
        maps = _producer(operand(node), _ACTIVATIONS)
        return "gap" if maps is not None and maps.op_type == "Conv" else "none"
    if node.op_type == "Gemm" or (node.op_type == "Conv" and shape_of(operand(node))[2:] == (1, 1)):
        pooled = _producer(operand(node), _SHAPE_ONLY)
        if pooled is not None and pooled.op_type == "GlobalAveragePool":
            return "gap-linear"
        return "fc" if node.op_type == "Gemm" else "none"
    return "none"


def _producer(value: ir.Value, skipped: set[str]) -> ir.Node | None:
    """The node behind `value`, looking through the op types in `skipped`."""
    node = value.producer()
    while node is not None and node.op_type in skipped:
        node = operand(node).producer()
    return node
