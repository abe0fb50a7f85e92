"""How much memory the activations of a network take at once."""

from __future__ import annotations

from math import prod

import onnx_ir as ir

from edgegap.graph.nodes import constant, shape_of, sole_consumer

_SAME_VALUES = {"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity"}
"""Ops whose output is their input's memory."""

_IN_PLACE = {"Relu", "Clip"}
"""Ops that the op in front of them does as well, where nothing else reads what is in between."""


def peak_activations(model: ir.Model) -> int:
    """The most values that are alive at once while the nodes run in the graph's order; of int8 values, that is bytes.

    A value lives from the node that computes it to the last that reads it; while a node runs, its inputs and outputs
    all do. The inputs of the graph live from the start and its outputs to the end. Constants do not count.

    Args:
        model: every shape static, in topological order; of one image where the batch is 1.
    """
    nodes = list(model.graph)
    buffer: dict[ir.Value, ir.Value] = {}
    born = dict.fromkeys(model.graph.inputs, 0)
    if not nodes:
        return sum(prod(shape_of(value)) for value in model.graph.inputs)
    dies = dict.fromkeys(model.graph.inputs, 0)
    for step, node in enumerate(nodes):
        read = [value for value in node.inputs if value is not None and constant(value) is None]
        for value in read:
            dies[buffer.get(value, value)] = step
        for y in node.outputs:
            if node.op_type in _SAME_VALUES or (node.op_type in _IN_PLACE and sole_consumer(read[0]) is node):
                buffer[y] = buffer.get(read[0], read[0])
            else:
                born[y] = dies[y] = step
    for value in model.graph.outputs:
        dies[buffer.get(value, value)] = len(nodes) - 1
    change = [0] * (len(nodes) + 1)
    for value, step in born.items():
        change[step] += prod(shape_of(value))
        change[dies[value] + 1] -= prod(shape_of(value))
    alive = most = 0
    for step in change:
        alive += step
        most = max(most, alive)
    return most
