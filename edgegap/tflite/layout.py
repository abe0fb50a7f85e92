"""The layout pass: in which order of axes each value lies in memory, from NCHW to NHWC by propagation.

A layout is a permutation: the tensor's axis k holds the value's axis layout[k].

Rules:
    1. Graph inputs and outputs of rank 4 are NHWC, and so is what Conv and the pools read and write.
    2. A Transpose moves nothing: its output is its input's bytes under another layout.
    3. A Reshape or Flatten keeps the bytes where the axes that it joins or splits are neighbours in memory, in order;
       otherwise its input is read in an order that makes it so.
    4. Flatten (or such a Reshape) of a map of several positions, all of whose readers are Gemms, keeps the bytes too:
       its columns are then in (h, w, c) order, and the columns of the Gemm's weight must follow.
    5. Every other node writes the layout that its operands of full rank have in common, else the natural one.
A value read in another layout than it has is transposed; nothing else makes a TRANSPOSE.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import attribute, operand, shape_of

Layout = tuple[int, ...]

NHWC: Layout = (0, 2, 3, 1)

_SPATIAL = frozenset({"AveragePool", "Conv", "GlobalAveragePool", "MaxPool", "Resize"})
_ONE_TO_ONE = frozenset(
    {"Clip", "DequantizeLinear", "QuantizeLinear", "Relu"} | {"Elu", "Gelu", "Mish", "Sigmoid", "Softplus", "Tanh"}
)


@dataclass
class Layouts:
    """What the pass found.

    Args:
        axes: the layout of every activation.
        columns: for a flattened [N, C*H*W] value whose tensor holds its columns in another order: tensor column k
            holds the value's column columns[k].
        reshaped_from: the layout in which each Reshape and Flatten reads its input.
    """

    axes: dict[ir.Value, Layout] = field(default_factory=dict)
    columns: dict[ir.Value, NDArray[np.intp]] = field(default_factory=dict)
    reshaped_from: dict[ir.Node, Layout] = field(default_factory=dict)


def natural(rank: int) -> Layout:
    """NHWC for rank 4, the axes as they are for every other."""
    return NHWC if rank == 4 else tuple(range(rank))


def permuted(items: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """`items`, one per axis of the value, in the tensor's order."""
    return tuple(items[axis] for axis in layout)


def propagate(graph: ir.Graph) -> Layouts:
    """The layouts of all values of `graph`, by the rules above."""
    layouts = Layouts()
    for value in graph.inputs:
        layouts.axes[value] = natural(len(shape_of(value)))
    for node in graph:
        if any(value in layouts.axes for value in node.inputs):
            _visit(node, layouts)
    return layouts


def _visit(node: ir.Node, layouts: Layouts) -> None:
    x, y = operand(node), node.outputs[0]
    if node.op_type in _SPATIAL:
        layouts.axes[y] = NHWC
    elif node.op_type == "Transpose":
        layouts.axes[y] = _transposed(layouts.axes[x], attribute(node, "perm", list(range(len(layouts.axes[x])))[::-1]))
    elif node.op_type in ("Flatten", "Reshape"):
        _visit_reshape(node, layouts)
    else:
        rank = len(shape_of(y))
        found = {layouts.axes[v] for v in node.inputs if v in layouts.axes and len(shape_of(v)) == rank}
        layouts.axes[y] = found.pop() if len(found) == 1 else natural(rank)
        if node.op_type in _ONE_TO_ONE and x in layouts.columns:
            layouts.columns[y] = layouts.columns[x]


def _transposed(layout: Layout, perm: list[int]) -> Layout:
    return tuple(perm.index(axis) for axis in layout)


def _visit_reshape(node: ir.Node, layouts: Layouts) -> None:
    x, y = operand(node), node.outputs[0]
    shape, own = shape_of(x), layouts.axes[x]
    target = natural(len(shape_of(y)))
    for supply in (target, _regrouped(shape, own, shape_of(y))):
        if _same_bytes(shape, own, shape_of(y), supply):
            layouts.reshaped_from[node], layouts.axes[y] = own, supply
            return
    if own == NHWC and shape_of(y) == (shape[0], prod(shape[1:])) and _reaches_only_gemms(y):
        layouts.reshaped_from[node], layouts.axes[y] = own, target
        layouts.columns[y] = np.arange(prod(shape[1:])).reshape(shape[1:]).transpose(1, 2, 0).ravel()
        return
    demand = _regrouped(shape_of(y), target, shape)
    if not _same_bytes(shape, demand, shape_of(y), target):
        demand, target = tuple(range(len(shape))), tuple(range(len(shape_of(y))))
    layouts.reshaped_from[node], layouts.axes[y] = demand, target


def _regrouped(shape: tuple[int, ...], layout: Layout, to: tuple[int, ...]) -> Layout:
    """The layout after a reshape to `to` that keeps every run of axes which it joins or splits together."""
    runs: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(shape) and j < len(to):
        left, right = [i], [j]
        i, j = i + 1, j + 1
        while (a := prod(shape[k] for k in left)) != (b := prod(to[k] for k in right)):
            if a < b:
                left.append(i)
                i += 1
            else:
                right.append(j)
                j += 1
        runs.append((left, right))
    runs.append((list(range(i, len(shape))), list(range(j, len(to)))))  # what is left over are axes of size 1
    runs.sort(key=lambda run: min((layout.index(axis) for axis in run[0]), default=len(layout)))
    return tuple(axis for _, right in runs for axis in right)


def _same_bytes(shape: tuple[int, ...], layout: Layout, to: tuple[int, ...], supply: Layout) -> bool:
    """Whether the value in `layout` and the value reshaped to `to` in `supply` are the same sequence of elements."""
    elements = np.arange(prod(shape))
    before, after = elements.reshape(shape).transpose(layout), elements.reshape(to).transpose(supply)
    return bool(np.array_equal(before.ravel(), after.ravel()))


def _reaches_only_gemms(value: ir.Value) -> bool:
    if value.is_graph_output():
        return False
    return all(
        use.idx == 0
        and (
            use.node.op_type == "Gemm" or (use.node.op_type in _ONE_TO_ONE and _reaches_only_gemms(use.node.outputs[0]))
        )
        for use in value.uses()
    )
