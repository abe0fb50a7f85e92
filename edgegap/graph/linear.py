"""Linear layers in canonical form: Conv and Gemm with explicit attributes and a bias.

Rules:
    1. Conv: kernel_shape, strides, dilations, group and pads written out (auto_pad resolved), a bias always there.
    2. Gemm: y = x @ W.T + b, that is transA=0, transB=1, alpha=beta=1 and a bias of shape [O].
    3. MatMul by a constant on a [N, K] value is a Gemm; an Add of a constant [O] behind it is that Gemm's bias.
       On [N, H, W, K] it is a 1x1 Conv between two Transposes.
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
    replace,
    required_constant,
    shape_of,
    sole_consumer,
    take_over,
    unsupported,
)
from edgegap.graph.normalization import TO_NCHW, TO_NHWC
from edgegap.graph.padding import resolve_auto_pad


def normalize_linear(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "Conv":
            changed |= _normalize_conv(node)
        elif node.op_type == "Gemm":
            changed |= _normalize_gemm(node)
        elif node.op_type == "MatMul":
            changed |= _matmul_to_gemm(node)
    return changed


def _normalize_conv(node: ir.Node) -> bool:
    weight = required_constant(node, 1, "weight")
    if weight.ndim != 4:
        raise unsupported(node, f"{weight.ndim - 2} spatial dimensions", "Use Conv2d.")
    attributes = {
        "kernel_shape": list(weight.shape[2:]),
        "strides": attribute(node, "strides", [1, 1]),
        "dilations": attribute(node, "dilations", [1, 1]),
        "group": attribute(node, "group", 1),
        "pads": resolve_auto_pad(node, list(weight.shape[2:])),
    }
    has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
    if has_bias:
        required_constant(node, 2, "bias")
    if has_bias and all(attribute(node, key) == value for key, value in attributes.items()):
        return False
    graph, y = graph_of(node), node.outputs[0]
    bias = node.inputs[2] if has_bias else None
    if bias is None:
        bias = add_initializer(graph, f"{operand(node, 1).name}_bias", np.zeros(weight.shape[0], np.float32))
    conv = new_node(
        node, "Conv", [operand(node), operand(node, 1), bias], attributes, name=f"{y.name}_conv", shape=shape_of(y)
    )
    take_over(node, conv.outputs[0])
    return True


def _normalize_gemm(node: ir.Node) -> bool:
    weight = required_constant(node, 1, "weight")
    alpha, beta = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    if attribute(node, "transA", 0):
        raise unsupported(node, "transA=1", "Transpose the input in the network.")
    bias = None if len(node.inputs) < 3 or node.inputs[2] is None else required_constant(node, 2, "bias")
    transposed = bool(attribute(node, "transB", 0))
    outputs = weight.shape[0] if transposed else weight.shape[1]
    if bias is not None and bias.ndim == 2 and len(bias) > 1:
        raise unsupported(node, f"its bias has the shape {bias.shape}", "Give it one value per output.")
    if transposed and alpha == beta == 1.0 and bias is not None and bias.shape == (outputs,):
        return False
    matrix = weight if transposed else weight.T
    full = np.zeros(outputs, np.float32) if bias is None else np.broadcast_to(beta * bias, (1, outputs))[0]
    scaled = matrix if alpha == 1 else (alpha * matrix).astype(np.float32)  # without need, not one more copy of it
    _put_gemm(node, scaled, full.astype(np.float32))
    return True


def _matmul_to_gemm(node: ir.Node) -> bool:
    weight, rank = constant(node.inputs[1]), len(shape_of(operand(node)))
    if weight is not None and weight.ndim == 2 and rank == 4:
        _put_pointwise(node, weight)
        return True
    if weight is None or weight.ndim != 2 or rank != 2:
        return False
    bias = np.zeros(weight.shape[1], np.float32)
    add = sole_consumer(node.outputs[0])
    if add is not None and add.op_type == "Add" and shape_of(add.outputs[0]) == shape_of(node.outputs[0]):
        other = next((a for a in map(constant, add.inputs) if a is not None), None)
        if other is not None and other.size in (1, weight.shape[1]):
            bias = np.broadcast_to(other.reshape(-1), bias.shape).astype(np.float32)
            replace(add, node.outputs[0])
    _put_gemm(node, weight.T, bias)
    return True


def _put_pointwise(node: ir.Node, weight: np.ndarray) -> None:
    x, y, graph = operand(node), node.outputs[0], graph_of(node)
    channels, outputs = weight.shape
    n, h, w, _ = shape_of(x)
    parameters = [
        add_initializer(graph, f"{operand(node, 1).name}_kernel", weight.T.reshape(outputs, channels, 1, 1)),
        add_initializer(graph, f"{y.name}_bias", np.zeros(outputs, np.float32)),
    ]
    attributes = {"kernel_shape": [1, 1], "strides": [1, 1], "dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0]}
    maps = new_node(node, "Transpose", [x], {"perm": TO_NCHW}, name=f"{y.name}_maps", shape=(n, channels, h, w))
    inputs = [*maps.outputs, *parameters]
    conv = new_node(node, "Conv", inputs, attributes, name=f"{y.name}_conv", shape=(n, outputs, h, w))
    last = new_node(node, "Transpose", conv.outputs, {"perm": TO_NHWC}, name=f"{y.name}_last", shape=shape_of(y))
    take_over(node, last.outputs[0])


def _put_gemm(node: ir.Node, weight: np.ndarray, bias: np.ndarray) -> None:
    graph, y = graph_of(node), node.outputs[0]
    inputs = [
        operand(node),
        add_initializer(graph, f"{operand(node, 1).name}_matrix", weight),
        add_initializer(graph, f"{y.name}_bias", bias),
    ]
    gemm = new_node(
        node,
        "Gemm",
        inputs,
        {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 1},
        name=f"{y.name}_gemm",
        shape=shape_of(y),
    )
    take_over(node, gemm.outputs[0])
