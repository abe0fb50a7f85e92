"""One spelling for 'drop the two spatial axes': Flatten(axis=1).

Rules:
    1. Reshape, Squeeze, or Flatten from [N, ...] to [N, K] is Flatten(axis=1).
    2. Any other Reshape, Squeeze or Unsqueeze that keeps N in front is Reshape to [0, ...] (0 copies the batch),
       so that no batch size is baked in.
    3. Flatten of a Flatten is one Flatten.
"""

from __future__ import annotations

import onnx_ir as ir

from edgegap.graph.nodes import attribute, constant, new_node, operand, reshaped, shape_of, take_over

_SPELLINGS = {"Reshape", "Squeeze", "Unsqueeze", "Flatten"}


def normalize_reshapes(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type not in _SPELLINGS:
            continue
        x, y = operand(node), node.outputs[0]
        source, target = shape_of(x), shape_of(y)
        inner = x.producer()
        if inner is not None and inner.op_type == "Flatten" and len(target) == 2 and target[0] == source[0]:
            node.replace_input_with(0, operand(inner))
            changed = True
        if not source or not target or source[0] != target[0]:
            continue
        if len(target) == 2:
            if node.op_type == "Flatten" and attribute(node, "axis", 1) == 1:
                continue
            new = new_node(node, "Flatten", [operand(node)], {"axis": 1}, name=f"{y.name}_flat", shape=target)
            flat = new.outputs[0]
        else:
            now = constant(node.inputs[1]) if node.op_type == "Reshape" else None
            if now is not None and now.tolist() == [0, *target[1:]] and not attribute(node, "allowzero", 0):
                continue
            flat = reshaped(node, operand(node), target, name=f"{y.name}_reshaped")
        take_over(node, flat)
        changed = True
    return changed
