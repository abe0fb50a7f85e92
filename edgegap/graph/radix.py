"""Radix attention (SKNet, ResNeSt): a softmax over two branches, and the sum over the axis that they are stacked along.

Li, Wang, Hu & Yang, 'Selective Kernel Networks', 2019; Zhang et al., 'ResNeSt: Split-Attention Networks', 2020.

Rules:
    1. Softmax over an axis of size 2 is Sigmoid(x - x reversed along that axis): exp(a) / (exp(a) + exp(b)) is
       1 / (1 + exp(b - a)), exact in real arithmetic. The difference is folded into the Conv or Gemm that made x, whose
       outputs come in the order of x; elsewhere it is a Sub of the two halves. A Softmax that ends the network stays.
    2. Softmax over an axis of size 1 is the constant 1.
    3. ReduceSum over an axis of at most 8, of a value of three or of more than four axes, is a chain of Adds. What is
       added are maps without that axis: what was stacked along it, slices of the channels that were split into it, or
       products of those.
"""

from __future__ import annotations

from math import prod

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
    reduced_axes,
    replace,
    reshaped,
    shape_of,
    sole_consumer,
    take_over,
)
from edgegap.graph.splitting import slice_of

_MOST = 8
"""Branches: a sum of more would be a long chain."""

_SHAPE_ONLY = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}

Parts = dict[tuple[ir.Value, int], list[ir.Value]]
"""By value and axis: what lies along the axis, each without it."""


def rewrite_radix_attention(model: ir.Model) -> bool:
    """Apply the rules above in place, to Gemms that are in canonical form; says whether anything changed."""
    changed, made = False, Parts()
    for node in model.graph:
        if node.op_type == "Softmax" and not _ends_the_network(node.outputs[0]):
            changed |= _softmax(node, made)
        elif node.op_type == "ReduceSum":
            changed |= _sum(node, made)
    return changed


def _ends_the_network(value: ir.Value) -> bool:
    if value.is_graph_output():
        return True
    reader = sole_consumer(value)
    return reader is not None and reader.op_type in _SHAPE_ONLY and _ends_the_network(reader.outputs[0])


def _softmax(node: ir.Node, made: Parts) -> bool:
    x, y = operand(node), node.outputs[0]
    shape = shape_of(x)
    axis = attribute(node, "axis", -1) % len(shape)
    if shape[axis] == 1:
        replace(node, add_initializer(graph_of(node), f"{y.name}_ones", np.ones(shape, np.float32)))
    elif shape[axis] == 2:
        take_over(node, _folded(node, axis) or _of_halves(node, axis, made))
    return shape[axis] in (1, 2)


def _folded(node: ir.Node, axis: int) -> ir.Value | None:
    """Rule 1 where `node` reads what a Conv or Gemm makes of each image, K numbers, in any order; else None."""
    chain, linear = [], operand(node).producer()
    while linear is not None and linear.op_type in _SHAPE_ONLY | {"Transpose"}:
        chain.append(linear)
        linear = operand(linear).producer()
    if linear is None or linear.op_type not in ("Conv", "Gemm") or len(linear.inputs) < 3:
        return None
    made, (weight, bias) = linear.outputs[0], (constant(linear.inputs[k]) for k in (1, 2))
    images, outputs = shape_of(made)[:2]
    if weight is None or bias is None or prod(shape_of(made)) != images * outputs:
        return None
    which = np.arange(images * outputs).reshape(shape_of(made))
    for step in reversed(chain):
        moved = which.transpose(attribute(step, "perm")) if step.op_type == "Transpose" else which
        which = moved.reshape(shape_of(step.outputs[0]))
    ours, others = (order.reshape(-1)[:outputs] for order in (which, np.flip(which, axis)))
    if not _within_groups(ours, outputs, linear) or not _within_groups(others, outputs, linear):
        return None
    name, graph = node.outputs[0].name, graph_of(node)
    inputs = [operand(linear)]
    for what, array in (("weight", weight.astype(np.float64)), ("bias", bias.astype(np.float64))):
        inputs.append(add_initializer(graph, f"{name}_{what}", (array[ours] - array[others]).astype(np.float32)))
    attributes = {key: value.value for key, value in linear.attributes.items()}
    difference = new_node(node, linear.op_type, inputs, attributes, name=f"{name}_difference", shape=shape_of(made))
    gate = new_node(node, "Sigmoid", difference.outputs, name=f"{name}_gate", shape=shape_of(made)).outputs[0]
    return reshaped(node, gate, shape_of(node.outputs[0]), name=f"{name}_spread")


def _within_groups(order: NDArray[np.int64], outputs: int, linear: ir.Node) -> bool:
    """Whether the rows of a weight may be taken in this order: of the same image, and each from the group it is in."""
    size = outputs // attribute(linear, "group", 1)
    return bool((order // size == np.arange(outputs) // size).all())


def _of_halves(node: ir.Node, axis: int, made: Parts) -> ir.Value:
    """Rule 1 in terms of Sub."""
    name, shape = node.outputs[0].name, shape_of(node.outputs[0])
    a, b = _parts(node, operand(node), axis, made)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    gates = []
    for k, (left, right) in enumerate(((a, b), (b, a))):
        difference = new_node(node, "Sub", [left, right], name=f"{name}_difference{k}", shape=shape_of(a)).outputs[0]
        gate = new_node(node, "Sigmoid", [difference], name=f"{name}_gate{k}", shape=shape_of(a)).outputs[0]
        gates.append(reshaped(node, gate, one, name=f"{name}_spread{k}"))
    return new_node(node, "Concat", gates, {"axis": axis}, name=f"{name}_gates", shape=shape).outputs[0]


def _sum(node: ir.Node, made: Parts) -> bool:
    x, y, axes = operand(node), node.outputs[0], reduced_axes(node)
    shape = shape_of(x)
    if len(axes) != 1 or len(shape) in (1, 2, 4):
        return False
    (axis,) = axes
    if shape[axis] > _MOST:
        return False
    total, *rest = _parts(node, x, axis, made)
    for k, part in enumerate(rest):
        total = new_node(node, "Add", [total, part], name=f"{y.name}_sum{k}", shape=shape_of(part)).outputs[0]
    take_over(node, reshaped(node, total, shape_of(y), name=f"{y.name}_kept"))
    return True


def _parts(node: ir.Node, value: ir.Value, axis: int, made: Parts) -> list[ir.Value]:
    """What lies along an axis of `value`, each without that axis; what has to be made is put in front of `node`."""
    if (value, axis) not in made:
        shape = shape_of(value)
        rest = (*shape[:axis], *shape[axis + 1 :])
        found = _found(node, value, axis, made) or [
            slice_of(node, value, axis, k, k + 1, f"{value.name}_{k}") for k in range(shape[axis])
        ]
        made[value, axis] = [_without_detour(node, part, rest) for part in found]
    return made[value, axis]


def _found(node: ir.Node, value: ir.Value, axis: int, made: Parts) -> list[ir.Value] | None:
    """The parts in any shape that has their order, where they are simpler than slices of `value`."""
    maker, shape = value.producer(), shape_of(value)
    if shape[axis] == 1:
        return [value]
    if maker is None:
        return None
    match maker.op_type:
        case "Concat" if attribute(maker, "axis") % len(shape) == axis and len(maker.inputs) == shape[axis]:
            return [operand(maker, k) for k in range(shape[axis])]
        case "Mul" if sole_consumer(value) is not None:
            factors = [_aligned(node, operand(maker, k), axis - len(shape), shape[axis], made) for k in (0, 1)]
            rest = (*shape[:axis], *shape[axis + 1 :])
            return [
                new_node(node, "Mul", pair, name=f"{value.name}_{k}", shape=rest).outputs[0]
                for k, pair in enumerate(zip(*factors, strict=True))
            ]
        case "Reshape" | "Unsqueeze" | "Squeeze":
            source, count = operand(maker), shape[axis]
            given = shape_of(source)
            for at, size in enumerate(given):
                if prod(given[:at]) == prod(shape[:axis]) and size % count == 0:
                    if size == count:
                        return _parts(node, source, at, made)
                    each = size // count
                    ends = [(k * each, (k + 1) * each) for k in range(count)]
                    return [slice_of(node, source, at, *end, f"{value.name}_{k}") for k, end in enumerate(ends)]
    return None


def _aligned(node: ir.Node, factor: ir.Value, axis: int, count: int, made: Parts) -> list[ir.Value]:
    """The parts of a factor that may be broadcast along `axis`, counted from the last."""
    shape = shape_of(factor)
    if -axis > len(shape):
        return [factor] * count
    parts = _parts(node, factor, axis + len(shape), made)
    return parts * (count // len(parts))


def _without_detour(node: ir.Node, value: ir.Value, shape: tuple[int, ...]) -> ir.Value:
    """`value` in another shape; where it had that shape before, what it was then."""
    before: ir.Value | None = value
    while before is not None and shape_of(before) != shape:
        maker = before.producer()
        before = operand(maker) if maker is not None and maker.op_type in _SHAPE_ONLY else None
    return before if before is not None else reshaped(node, value, shape, name=f"{value.name}_alone")
