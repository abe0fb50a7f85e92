"""Sub, Div, Neg and Pow in terms of Add and Mul, which have an exact int8 form.

Rules, for what is no affine map per channel:
    1. x - c and x / c by a constant are x + (-c) and x * (1 / c).
    2. -x is (-1) x, and x to the power of 2 is x * x.
    3. a - b is a + (-1) b. The product folds into the layer in front of b, or becomes a depthwise Conv (`fold_affine`).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import add_initializer, constant, graph_of, new_node, operand, shape_of, take_over


def rewrite_subtraction(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "Neg":
            _multiply(node, add_initializer(graph_of(node), f"{node.outputs[0].name}_minus", np.array(-1, np.float32)))
            changed = True
        elif node.op_type == "Pow" and _is_square(node):
            _multiply(node, operand(node))
            changed = True
        if node.op_type not in ("Sub", "Div"):
            continue
        graph, (x, y), name = graph_of(node), (operand(node), operand(node, 1)), str(node.outputs[0].name)
        array = constant(y)
        if array is not None:
            with np.errstate(divide="ignore"):  # a division by zero shows as an infinite activation in calibration
                opposite = -array if node.op_type == "Sub" else 1 / array
            y = add_initializer(graph, f"{name}_opposite", opposite.astype(np.float32))
        elif node.op_type == "Sub":
            minus = add_initializer(graph, f"{name}_minus", np.array(-1, np.float32))
            y = new_node(node, "Mul", [y, minus], name=f"{name}_negative", shape=shape_of(y)).outputs[0]
        else:
            continue
        op_type = "Add" if node.op_type == "Sub" else "Mul"
        new = new_node(node, op_type, [x, y], name=f"{name}_rewritten", shape=shape_of(node.outputs[0]))
        take_over(node, new.outputs[0])
        changed = True
    return changed


def _is_square(node: ir.Node) -> bool:
    power = constant(node.inputs[1])
    return power is not None and bool((power == 2).all()) and shape_of(operand(node)) == shape_of(node.outputs[0])


def _multiply(node: ir.Node, factor: ir.Value) -> None:
    y = node.outputs[0]
    take_over(
        node, new_node(node, "Mul", [operand(node), factor], name=f"{y.name}_product", shape=shape_of(y)).outputs[0]
    )
