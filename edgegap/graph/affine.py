"""Per-channel affine maps y = scale * x + shift: folded into a linear layer next to them, else a depthwise convolution.

Rules:
    1. BatchNormalization (inference) is an affine map with scale = gamma / sqrt(var + eps).
    2. Mul, Div, Add and Sub of a [N, C, H, W] or [N, C] value with a constant of one value per channel, or one in all.
    3. Behind a Conv or Gemm that nothing else reads, the map is folded: W' = scale * W, b' = scale * b + shift
       (computed in float64, rounded once).
    4. In front of Convs without padding, or Gemms, that alone read it, it is folded into each of them:
       W' = scale * W along the inputs, b' = b + W shift.
    5. Elsewhere on a [N, C, H, W] value it becomes a depthwise 1x1 Conv, which both runtimes compute exactly in int8.
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
    replace,
    required_constant,
    shape_of,
    sole_consumer,
    take_over,
    unsupported,
)

Affine = tuple[ir.Value, NDArray[np.float64], NDArray[np.float64]]
"""The value x, scale [C] and shift [C]."""


def fold_affine(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        affine = _affine_of(node)
        if affine is None:
            continue
        x, scale, shift = affine
        linear = x.producer()
        foldable = linear is not None and linear.op_type in ("Conv", "Gemm") and sole_consumer(x) is node
        if foldable and linear is not None and constant(linear.inputs[1]) is not None and len(linear.inputs) > 2:
            _fold(linear, scale, shift)
            replace(node, x)
        elif _only_linear_read(node.outputs[0]):
            for reader in node.outputs[0].consumers():
                _fold_ahead(reader, scale, shift)
            replace(node, x)
        elif len(shape_of(x)) == 4:
            _to_depthwise(node, affine)
        else:
            continue
        changed = True
    return changed


def _affine_of(node: ir.Node) -> Affine | None:  # one for each kind of map
    if node.op_type == "BatchNormalization":
        if attribute(node, "training_mode", 0):
            raise unsupported(node, "it is in training mode", "Call eval() before exporting.")
        gamma, beta, mean, var = (
            required_constant(node, k, what).astype(np.float64)
            for k, what in enumerate(("scale", "bias", "mean", "variance"), start=1)
        )
        scale = gamma / np.sqrt(var + attribute(node, "epsilon", 1e-5))
        return operand(node), scale, beta - mean * scale
    if node.op_type not in ("Mul", "Div", "Add", "Sub"):
        return None
    left, right = constant(node.inputs[0]), constant(node.inputs[1])
    array, x = (left, operand(node, 1)) if left is not None else (right, operand(node, 0))
    if array is None or (left is not None and (right is not None or node.op_type == "Div")):
        return None
    shape = shape_of(x)
    values = _per_channel(array, shape)
    if values is None or shape_of(node.outputs[0]) != shape:
        return None
    one, zero = np.ones_like(values), np.zeros_like(values)
    match node.op_type:
        case "Mul":
            return x, values, zero
        case "Div":
            return x, 1 / values, zero
        case "Add":
            return x, one, values
        case _:
            return (x, one, -values) if right is not None else (x, -one, values)


def _per_channel(array: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """`array` as one value per channel, or None where it varies along another axis."""
    if len(shape) not in (2, 4) or array.ndim > len(shape):
        return None
    padded = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    if any(size != 1 for axis, size in enumerate(padded.shape) if axis != 1) or padded.size not in (1, shape[1]):
        return None
    return np.broadcast_to(padded.reshape(-1), (shape[1],)).astype(np.float64)


def _only_linear_read(value: ir.Value) -> bool:
    """Whether rule 4 is for a value."""
    readers = all(use.idx == 0 and _takes_affine(use.node) for use in value.uses())
    return bool(value.uses()) and not value.is_graph_output() and readers


def _takes_affine(linear: ir.Node) -> bool:
    if linear.op_type not in ("Conv", "Gemm") or len(linear.inputs) < 3:
        return False
    if any(constant(value) is None for value in linear.inputs[1:]):
        return False
    return bool(attribute(linear, "transB", 0)) if linear.op_type == "Gemm" else not any(attribute(linear, "pads", []))


def _fold(linear: ir.Node, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
    weight, bias = required_constant(linear, 1, "weight"), required_constant(linear, 2, "bias")
    _set_parameters(linear, weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), bias * scale + shift)


def _fold_ahead(linear: ir.Node, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
    weight, bias = required_constant(linear, 1, "weight"), required_constant(linear, 2, "bias")
    groups = attribute(linear, "group", 1)
    grouped = weight.reshape(groups, -1, *weight.shape[1:]).astype(np.float64)  # [group, O / group, C / group, ...]
    along = (groups, 1, -1, *[1] * (weight.ndim - 2))
    added = (grouped * shift.reshape(along)).reshape(len(weight), -1).sum(axis=1)
    _set_parameters(linear, (grouped * scale.reshape(along)).reshape(weight.shape), bias + added)


def _set_parameters(linear: ir.Node, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
    for k, array in ((1, weight), (2, bias)):
        folded = add_initializer(graph_of(linear), f"{operand(linear, k).name}_folded", array.astype(np.float32))
        linear.replace_input_with(k, folded)


def _to_depthwise(node: ir.Node, affine: Affine) -> None:
    x, scale, shift = affine
    put = depthwise(node, x, scale.reshape(-1, 1, 1, 1), shift, name=f"{node.outputs[0].name}_affine")
    take_over(node, put)


def depthwise(
    like: ir.Node,
    x: ir.Value,
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    *,
    name: str,
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    shape: tuple[int, ...] | None = None,
) -> ir.Value:
    """The output of a depthwise Conv of `x`, put in front of node `like`.

    Args:
        like: the node that the Conv stands in front of.
        x: a [N, C, H, W] value.
        weight: [C, 1, kh, kw].
        bias: [C].
        name: the name of the output.
        strides: vertical, horizontal.
        pads: top, left, bottom, right.
        shape: the output's, where it is not that of `x`.
    """
    graph = graph_of(like)
    inputs = [
        x,
        add_initializer(graph, f"{name}_weight", weight.astype(np.float32)),
        add_initializer(graph, f"{name}_bias", bias.astype(np.float32)),
    ]
    attributes = {
        "kernel_shape": list(weight.shape[2:]),
        "strides": list(strides),
        "dilations": [1, 1],
        "group": weight.shape[0],
        "pads": list(pads),
    }
    return new_node(like, "Conv", inputs, attributes, name=name, shape=shape or shape_of(x)).outputs[0]
