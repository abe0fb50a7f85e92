"""Pooling in canonical form, and global average pooling recognized in every spelling.

Rules:
    1. ReduceMean over both spatial axes of a [N, C, H, W] value (axes as input or attribute, negative or not; at once,
       one after the other, or after a Reshape to [N, C, H * W]), and an AveragePool whose one window covers the whole
       map without padding, are GlobalAveragePool; without keepdims a Reshape follows. (ONNX Runtime quantizes
       GlobalAveragePool and leaves ReduceMean in float.)
    2. ceil_mode=1 becomes explicit padding at the end: rows that a MaxPool ignores and an AveragePool does not count.
    3. An AveragePool that does not count its padding becomes one that does, times the constant map
       kernel area / pixels under the window; where no window reaches into the padding that map is 1 and falls away.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    graph_of,
    new_node,
    operand,
    reduced_axes,
    reshaped,
    shape_of,
    take_over,
    unsupported,
)


def recognize_global_average_pool(model: ir.Model) -> bool:
    """Rule 1, in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        x, y = _averaged(node), node.outputs[0]
        if x is None:
            continue
        n, c = shape_of(x)[:2]
        gap = new_node(node, "GlobalAveragePool", [x], name=f"{y.name}_gap", shape=(n, c, 1, 1)).outputs[0]
        if shape_of(y) != (n, c, 1, 1):
            gap = reshaped(node, gap, shape_of(y), name=f"{y.name}_flat")
        take_over(node, gap)
        changed = True
    return changed


def normalize_pools(model: ir.Model) -> bool:
    """Rules 2 and 3, in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type not in ("MaxPool", "AveragePool"):
            continue
        if len(attribute(node, "kernel_shape")) != 2:
            raise unsupported(node, f"a pool of {len(shape_of(operand(node))) - 2} dimensions", "Use a pool of two.")
        if any(d != 1 for d in attribute(node, "dilations", [1, 1])) or len(node.outputs) > 1:
            raise unsupported(node, "dilation or indices of a pool", "Use a pool without dilation.")
        if attribute(node, "ceil_mode", 0):
            _spell_out_ceil(node)
            changed = True
        if node.op_type == "AveragePool" and not attribute(node, "count_include_pad", 0):
            _count_padding(node)
            changed = True
    return changed


def _averaged(node: ir.Node) -> ir.Value | None:
    """The [N, C, H, W] value that `node` averages over its whole maps, or None."""
    if node.op_type == "AveragePool":
        return operand(node) if _covers_the_map(node) else None
    axes = _mean_axes(node)
    if not axes:
        return None
    x, inner = operand(node), operand(node).producer()
    if inner is not None and inner.op_type in ("ReduceMean", "Reshape") and len(shape_of(operand(inner))) == 4:
        source = operand(inner)
        earlier = _mean_axes(inner)
        # Behind a mean without keepdims the axis that is left is number 2, whichever it was.
        left = {2, 3} - earlier if len(shape_of(x)) == 4 else {2}
        if earlier and earlier <= {2, 3} and left <= axes <= {2, 3}:
            return source
        n, c, h, w = shape_of(source)
        if inner.op_type == "Reshape" and shape_of(x) == (n, c, h * w) and axes == {2}:
            return source
    return x if len(shape_of(x)) == 4 and axes == {2, 3} else None


def _mean_axes(node: ir.Node) -> set[int]:
    """The axes of a ReduceMean, not negative; none for any other node."""
    return reduced_axes(node) if node.op_type == "ReduceMean" else set()


def _covers_the_map(node: ir.Node) -> bool:
    x, y = shape_of(operand(node)), shape_of(node.outputs[0])
    unpadded = not any(attribute(node, "pads", [0]))
    return unpadded and tuple(attribute(node, "kernel_shape")) == x[2:] and y[2:] == (1, 1)


def _spell_out_ceil(node: ir.Node) -> None:
    height, width = shape_of(operand(node))[2:]
    out = shape_of(node.outputs[0])[2:]
    kernel, strides = attribute(node, "kernel_shape"), attribute(node, "strides", [1, 1])
    pads = attribute(node, "pads", [0, 0, 0, 0])
    needed = [(out[d] - 1) * strides[d] + kernel[d] - size - pads[d] for d, size in enumerate((height, width))]
    grown = [max(needed[d], pads[d + 2]) for d in range(2)]
    if any(grown[d] >= kernel[d] for d in range(2)):
        raise unsupported(node, "with ceil_mode a window lies wholly in the padding", "Use ceil_mode=False.")
    if node.op_type == "AveragePool" and attribute(node, "count_include_pad", 0) and grown != pads[2:]:
        # The rows that ceil_mode adds never count, the given padding does.
        _append_count_map(node, pads, [*pads[:2], *grown], counted=True)
    node.attributes["pads"] = ir.AttrInt64s("pads", [*pads[:2], *grown])
    node.attributes["ceil_mode"] = ir.AttrInt64("ceil_mode", 0)


def _count_padding(node: ir.Node) -> None:
    pads = attribute(node, "pads", [0, 0, 0, 0])
    node.attributes["count_include_pad"] = ir.AttrInt64("count_include_pad", 1)
    if any(pads):
        _append_count_map(node, pads, pads, counted=False)


def _append_count_map(node: ir.Node, given: list[int], pads: list[int], *, counted: bool) -> None:
    """Multiply the pool's output by kernel area / number of pixels that count under each window."""
    y = node.outputs[0]
    kernel, strides = attribute(node, "kernel_shape"), attribute(node, "strides", [1, 1])
    sizes, out = shape_of(operand(node))[2:], shape_of(y)[2:]
    along = [
        _pixels_under(
            np.arange(out[d]) * strides[d] - pads[d],
            kernel[d],
            first=-given[d] if counted else 0,
            end=sizes[d] + (given[d + 2] if counted else 0),
        )
        for d in range(2)
    ]
    ratio = (kernel[0] * kernel[1] / np.outer(along[0], along[1])).astype(np.float32)
    if (ratio == 1).all():
        return
    graph = graph_of(node)
    consumers = [(use.node, use.idx) for use in y.uses()]
    factor = add_initializer(graph, f"{y.name}_count", ratio[None, None])
    product = ir.node("Mul", [y, factor], name=f"{y.name}_counted_node", outputs=[ir.val(f"{y.name}_counted")])
    product.outputs[0].dtype, product.outputs[0].shape = ir.DataType.FLOAT, y.shape
    product.metadata_props.update(node.metadata_props)
    graph.insert_after(node, product)
    for consumer, index in consumers:
        consumer.replace_input_with(index, product.outputs[0])
    if y.is_graph_output():
        graph.outputs[list(graph.outputs).index(y)] = product.outputs[0]
        y.name, product.outputs[0].name = f"{y.name}_uncounted", y.name


def _pixels_under(starts: NDArray[np.int64], kernel: int, *, first: int, end: int) -> NDArray[np.float64]:
    """For the windows of `kernel` pixels that begin at `starts`: how many of their pixels lie in [first, end)."""
    return (np.minimum(starts + kernel, end) - np.maximum(starts, first)).astype(np.float64)
