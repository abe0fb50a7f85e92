"""Let Transposes meet: a Transpose stands behind whatever treats all elements alike, until the next one undoes it.

Networks that go to [N, H, W, C] for a LayerNorm or a Linear and back leave a Transpose on either side of it. What is in
between moves in front of the first, so that both vanish (`identities`).

Rules, for a Transpose T:
    1. A function of one value: f(T(x)) is T(f(x)).
    2. Add, Sub, Mul and Div of two values transposed alike, or of one and what can be transposed back: a constant, or
       what a LayerNormalization gives.
    3. Slice and Concat, along the axis that theirs was before.
    4. ReduceMean, ReduceSum, ReduceMax and ReduceL2, over the axes that theirs were before.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    graph_of,
    new_node,
    operand,
    reduced_axes,
    required_constant,
    shape_of,
    take_over,
)

_FUNCTIONS = frozenset(
    {"Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Relu", "Sigmoid", "Softplus", "Tanh"}
)
_BINARY = frozenset({"Add", "Div", "Mul", "Sub"})
_REDUCTIONS = frozenset({"ReduceL2", "ReduceMax", "ReduceMean", "ReduceSum"})


def sink_transposes(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        perm = _common_perm(node)
        if perm is None:
            continue
        if node.op_type in _REDUCTIONS:
            changed |= _reduce(node, perm)
        else:
            _sink(node, perm)
            changed = True
    return changed


def _common_perm(node: ir.Node) -> list[int] | None:
    """The permutation of all values that `node` reads; None where it has none, or must not move."""
    if node.op_type in _FUNCTIONS | {"Slice"} | _REDUCTIONS:
        moved = node.inputs[:1]
    elif node.op_type in _BINARY | {"Concat"}:
        moved = node.inputs
    else:
        return None
    perms = set()
    for value in moved:
        if value is None:
            return None
        transpose = value.producer()
        if transpose is not None and transpose.op_type == "Transpose":
            behind = operand(transpose).producer()
            if behind is not None and behind.op_type == "Transpose":
                return None  # the two of them become one first
            perms.add(tuple(attribute(transpose, "perm", list(range(len(shape_of(value))))[::-1])))
        elif node.op_type == "Concat" or not (constant(value) is not None or _is_normalized(value)):
            return None
    if len(perms) != 1 or (node.op_type == "Slice" and len(node.inputs) < 4):
        return None
    return list(perms.pop())


def _sink(node: ir.Node, perm: list[int]) -> None:
    y, back = node.outputs[0], [perm.index(axis) for axis in range(len(perm))]
    inputs, attributes = list(node.inputs), dict(node.attributes)
    for k, value in enumerate(node.inputs):
        transpose = None if value is None else value.producer()
        if transpose is not None and transpose.op_type == "Transpose":
            inputs[k] = operand(transpose)
        elif value is not None and node.op_type in _BINARY:
            inputs[k] = _transposed_back(node, value, back)
        elif k == 3 and value is not None and node.op_type == "Slice":
            axes = np.array([perm[axis] for axis in required_constant(node, 3, "axes")], np.int64)
            inputs[k] = add_initializer(graph_of(node), f"{value.name}_before", axes)
    if node.op_type == "Concat":
        attributes["axis"] = ir.AttrInt64("axis", perm[attribute(node, "axis")])
    shape = [shape_of(y)[axis] for axis in back]
    moved = new_node(node, node.op_type, inputs, attributes, name=f"{y.name}_before", shape=shape)
    again = new_node(node, "Transpose", moved.outputs, {"perm": perm}, name=f"{y.name}_moved", shape=shape_of(y))
    take_over(node, again.outputs[0])
    if not again.outputs[0].is_graph_output():  # what computes keeps its names: reports call it by them
        (computed,), (transposed,) = moved.outputs, again.outputs
        computed.name, transposed.name = transposed.name, computed.name
        moved.name, again.name = node.name, moved.name


def _is_normalized(value: ir.Value) -> bool:
    norm = value.producer()
    return norm is not None and norm.op_type == "LayerNormalization"


def _transposed_back(node: ir.Node, value: ir.Value, back: list[int]) -> ir.Value:
    """A value that is to the one before the Transpose what `value` is to the one behind it."""
    array = constant(value)
    if array is None:
        shape = [shape_of(value)[axis] for axis in back]
        return new_node(node, "Transpose", [value], {"perm": back}, name=f"{value.name}_back", shape=shape).outputs[0]
    if array.size == 1:
        return value
    full = array.reshape((1,) * (len(back) - array.ndim) + array.shape).transpose(back)
    return add_initializer(graph_of(node), f"{value.name}_before", full)


def _reduce(node: ir.Node, perm: list[int]) -> bool:
    """Rule 4; without keepdims, where the axes that are left stay in their order."""
    gone, transpose, y = reduced_axes(node), operand(node).producer(), node.outputs[0]
    if not gone or transpose is None:
        return False
    kept = attribute(node, "keepdims", 1)
    left = [perm[axis] for axis in range(len(perm)) if axis not in gone]
    if not kept and left != sorted(left):
        return False
    before = add_initializer(graph_of(node), f"{y.name}_axes", np.array(sorted(perm[axis] for axis in gone), np.int64))
    shape = [shape_of(y)[perm.index(axis)] for axis in range(len(perm))] if kept else shape_of(y)
    inputs, name = [operand(transpose), before], f"{y.name}_before"
    reduced = new_node(node, node.op_type, inputs, {"keepdims": kept}, name=name, shape=shape).outputs[0]
    if kept:
        again = {"perm": perm}
        reduced = new_node(node, "Transpose", [reduced], again, name=f"{y.name}_moved", shape=shape_of(y)).outputs[0]
    take_over(node, reduced)
    return True
