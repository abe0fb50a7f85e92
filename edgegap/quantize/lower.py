"""Rewrite a canonical float model so that every node has one exact int8 form in both runtimes.

Rules:
    1. AveragePool is a depthwise Conv with weight 1 / (kh * kw): symmetric quantization makes that 127 at scale
       1 / (127 kh kw), and both runtimes compute it exactly. Their own pooling kernels part by 1 in 2-13 % of outputs.
    2. Relu and Clip stand behind a Conv, Gemm, Add, Mul or GlobalAveragePool that nothing else reads, so that a grid
       can make them free; elsewhere a requantize goes in between.
    3. A Slice that takes every k-th row and column of a map is a depthwise 1x1 Conv of ones with that stride: XNNPACK
       takes it, and not a STRIDED_SLICE of a step above 1.
    4. HardSwish is x times Clip(x / 6 + 1 / 2, 0, 1), a depthwise 1x1 Conv: native kernels part in 0.5 %.
    5. A requantize is a depthwise 1x1 Conv of ones (127 at scale 1/127): exact, where a native QUANTIZE parts in 6 %.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.affine import depthwise
from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    graph_of,
    new_node,
    operand,
    required_constant,
    reshaped,
    shape_of,
    sole_consumer,
    take_over,
)
from edgegap.quantize.functions import FUNCTIONS

CLIPPING = frozenset({"Conv", "Gemm", "Add", "Mul", "GlobalAveragePool"})
"""Ops whose grid can take in the Relu or Clip behind them."""

ARITHMETIC = CLIPPING | FUNCTIONS.keys() | {"Div", "GlobalLpPool", "LayerNormalization"}
"""Ops that compute new values, and so have a grid of their own."""

PASSING = frozenset({"Concat", "MaxPool", "Pad", "Slice", "Flatten", "Reshape", "Resize", "Transpose"})
"""Ops that only move integers, and so keep the grid of their input."""

ACTIVATIONS = frozenset({"Relu", "Clip"})


def lower(model: ir.Model) -> None:
    """Apply the rules above to a canonical model, in place."""
    for node in model.graph:
        if node.op_type == "AveragePool":
            _average_pool_to_depthwise(node)
        elif node.op_type == "Slice":
            _strided_slice_to_depthwise(node)
        elif node.op_type == "HardSwish":
            _hard_swish_to_product(node)
        elif node.op_type in ACTIVATIONS:
            producer = operand(node).producer()
            if producer is None or producer.op_type not in CLIPPING or sole_consumer(operand(node)) is not node:
                _requantize_activation(node)


def requantize(node: ir.Node, index: int) -> ir.Value:
    """Put a requantize (rule 5) on input `index` of `node`; returns the output of its Conv."""
    x = operand(node, index)
    name = f"{x.name}_requantized"
    tall = _as_map(node, x, name)
    channels = shape_of(tall)[1]
    same = depthwise(node, tall, np.ones((channels, 1, 1, 1)), np.zeros(channels), name=name)
    node.replace_input_with(index, _reshaped(node, same, shape_of(x), name))
    return same


def _as_map(like: ir.Node, x: ir.Value, name: str) -> ir.Value:
    """`x` as it is where it is [N, C, H, W], else as [N, K, 1, 1]."""
    shape = shape_of(x)
    if len(shape) == 4:
        return x
    return reshaped(like, x, (shape[0], int(np.prod(shape[1:])), 1, 1), name=f"{name}_in")


def _reshaped(like: ir.Node, y: ir.Value, shape: tuple[int, ...], name: str) -> ir.Value:
    """`y`, made of what `_as_map` gave, in the shape that went in."""
    if len(shape) == 4:
        return y
    if len(shape) == 2:
        return new_node(like, "Flatten", [y], {"axis": 1}, name=f"{name}_out", shape=shape).outputs[0]
    return reshaped(like, y, shape, name=f"{name}_out")


def _requantize_activation(node: ir.Node) -> None:
    """Rule 2: behind the Conv itself, in front of the reshape that follows it where the value is no map."""
    same = requantize(node, 0)
    back = operand(node).producer()
    if back is not None and back is not same.producer():
        name = f"{node.outputs[0].name}_spread"
        active = new_node(back, node.op_type, [same, *node.inputs[1:]], name=name, shape=shape_of(same))
        back.replace_input_with(0, active.outputs[0])
        take_over(node, back.outputs[0])


def _average_pool_to_depthwise(node: ir.Node) -> None:
    x, y = operand(node), node.outputs[0]
    channels = shape_of(x)[1]
    kh, kw = attribute(node, "kernel_shape")
    pooled = depthwise(
        node,
        x,
        np.full((channels, 1, kh, kw), 1 / (kh * kw)),
        np.zeros(channels),
        name=f"{y.name}_pooled",
        strides=tuple(attribute(node, "strides", [1, 1])),
        pads=tuple(attribute(node, "pads", [0, 0, 0, 0])),
        shape=shape_of(y),
    )
    take_over(node, pooled)


def _hard_swish_to_product(node: ir.Node) -> None:
    name = str(node.outputs[0].name)
    x = _as_map(node, operand(node), name)
    channels = shape_of(x)[1]
    shifted = depthwise(node, x, np.full((channels, 1, 1, 1), 1 / 6), np.full(channels, 0.5), name=f"{name}_shifted")
    ends = [
        add_initializer(graph_of(node), f"{name}_{what}", np.array(end, np.float32))
        for what, end in (("minimum", 0), ("maximum", 1))
    ]
    gate = new_node(node, "Clip", [shifted, *ends], name=f"{name}_gate", shape=shape_of(x)).outputs[0]
    product = new_node(node, "Mul", [x, gate], name=f"{name}_product", shape=shape_of(x)).outputs[0]
    take_over(node, _reshaped(node, product, shape_of(node.outputs[0]), name))


def _strided_slice_to_depthwise(node: ir.Node) -> None:
    x, y = operand(node), node.outputs[0]
    sizes = shape_of(x)
    starts, ends, axes, steps = (required_constant(node, k, "window").tolist() for k in range(1, 5))
    strides = dict(zip(axes, steps, strict=True))
    whole = all(start == 0 and end == sizes[axis] for start, end, axis in zip(starts, ends, axes, strict=True))
    if len(sizes) != 4 or not whole or not set(axes) <= {2, 3} or max(steps) == 1:
        return
    channels = sizes[1]
    taken = depthwise(
        node,
        x,
        np.ones((channels, 1, 1, 1)),
        np.zeros(channels),
        name=f"{y.name}_strided",
        strides=(strides.get(2, 1), strides.get(3, 1)),
        shape=shape_of(y),
    )
    take_over(node, taken)
