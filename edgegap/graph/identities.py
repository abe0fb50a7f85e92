"""Remove what does nothing.

Rules:
    1. Identity, Dropout (inference), and Cast to the type that the value has: gone.
    2. Transpose with the identity permutation; two Transposes in a row become one.
    3. Expand in front of an Add or Mul, which broadcast by themselves: gone.
    4. Concat of one input, Pad by zeros, Reshape, Flatten, Squeeze or Unsqueeze to the same shape: gone.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import attribute, constant, operand, replace, unsupported


def remove_identities(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if _merge_transposes(node):
            changed = True
        if _does_nothing(node) and not (operand(node).is_graph_input() and node.outputs[0].is_graph_output()):
            replace(node, operand(node))
            changed = True
    return changed


def _does_nothing(node: ir.Node) -> bool:  # one for each kind of node
    if not node.inputs:
        return False
    x, y = operand(node), node.outputs[0]
    same_shape = x.shape is not None and x.shape == y.shape
    match node.op_type:
        case "Dropout" if len(node.inputs) > 2 and np.any(constant(node.inputs[2])):
            raise unsupported(node, "it is in training mode", "Call eval() before exporting.")
        case "Identity" | "Dropout":
            return all(not output.uses() for output in node.outputs[1:])
        case "Cast":
            return x.dtype is not None and x.dtype == y.dtype
        case "Transpose":
            perm = attribute(node, "perm")
            return perm is not None and perm == sorted(perm)
        case "Concat":
            return len(node.inputs) == 1
        case "Pad":
            pads = constant(node.inputs[1])
            return pads is not None and not pads.any()
        case "Expand":
            return (
                bool(y.uses()) and not y.is_graph_output() and all(_broadcasts(reader, y) for reader in y.consumers())
            )
        case "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze":
            return same_shape
        case _:
            return False


def _broadcasts(reader: ir.Node, value: ir.Value) -> bool:
    """Whether an Add or Mul gives the same without `value` being expanded."""
    if reader.op_type not in ("Add", "Mul"):
        return False
    others = [other for other in reader.inputs if other is not value]
    return len(others) == 1 and others[0] is not None and others[0].shape == reader.outputs[0].shape


def _merge_transposes(node: ir.Node) -> bool:
    """Rule 2: Transpose(Transpose(x, p), q) is Transpose(x, p[q])."""
    first = operand(node).producer() if node.op_type == "Transpose" else None
    if first is None or first.op_type != "Transpose":
        return False
    inner, outer = attribute(first, "perm"), attribute(node, "perm")
    if inner is None or outer is None:
        return False
    node.attributes["perm"] = ir.AttrInt64s("perm", [inner[k] for k in outer])
    node.replace_input_with(0, operand(first))
    return True
