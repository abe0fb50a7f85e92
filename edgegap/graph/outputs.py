"""What a classifier gives: its logits. The first of several outputs is, and what a Softmax that ends it reads."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgegap.graph.nodes import attribute, operand


def keep_first_output(model: ir.Model) -> str | None:
    """Drop all outputs but the first, and what only they need, in place; a sentence that says so, if there were any."""
    first, *others = model.graph.outputs
    if not others:
        return None
    names = ", ".join(str(value.name) for value in others)
    del model.graph.outputs[1:]
    RemoveUnusedNodesPass()(model)
    return (
        f"the network has {1 + len(others)} outputs: only the first, {first.name}, is exported, as the logits; "
        f"dropped: {names}"
    )


def leave_out_softmax(model: ir.Model) -> str | None:
    """Let the one output be what a Softmax or LogSoftmax over the classes, the last node, reads, in place; the op.

    The largest logit is the largest probability, and a Softmax of integers would make most of them 0.
    """
    value = model.graph.outputs[0]
    node = value.producer()
    if node is None or node.domain or node.op_type not in ("LogSoftmax", "Softmax") or value.uses():
        return None
    axis, logits = attribute(node, "axis", -1), operand(node)
    if axis < 0:
        axis += 2 if value.shape is None else len(value.shape)
    if axis != 1 or logits.is_graph_input():
        return None
    name, model.graph.outputs[0] = value.name, logits
    model.graph.remove(node, safe=True)
    value.name, logits.name = None, name
    if logits.shape is None:
        logits.shape, logits.type = value.shape, value.type
    return node.op_type
