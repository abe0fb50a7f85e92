"""Slices in canonical form.

Rules:
    1. starts, ends, axes and steps are all given, non-negative, and clamped to the value's size; steps are positive.
    2. Slices of different axes in a row become one.
    3. A Slice that takes everything is gone.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import (
    add_initializer,
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

Window = dict[int, tuple[int, int, int]]
"""Axis to (start, end, step)."""


def normalize_slices(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type != "Slice":
            continue
        window, first = _window(node), operand(node).producer()
        if first is not None and first.op_type == "Slice" and sole_consumer(operand(node)) is node:
            earlier = _window(first)
            if not set(earlier) & set(window):
                window = earlier | window
                node.replace_input_with(0, operand(first))
        if not window:
            replace(node, operand(node))
            changed = True
        elif not _is_written(node, window):
            _rewrite(node, window)
            changed = True
    return changed


def _window(node: ir.Node) -> Window:
    shape = shape_of(operand(node))
    starts, ends = required_constant(node, 1, "start"), required_constant(node, 2, "end")
    axes = required_constant(node, 3, "axes") if len(node.inputs) > 3 and node.inputs[3] else np.arange(len(starts))
    steps = required_constant(node, 4, "steps") if len(node.inputs) > 4 and node.inputs[4] else np.ones(len(starts))
    window: Window = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise unsupported(node, f"a step of {step}", "Slice with a positive step.")
        size = shape[axis % len(shape)]
        begin, stop, _ = slice(int(start), int(end), int(step)).indices(size)
        if (begin, stop, step) != (0, size, 1):
            window[int(axis) % len(shape)] = (begin, stop, int(step))
    return window


def _columns(window: Window) -> list[np.ndarray]:
    axes = sorted(window)
    rows = [[window[a][k] for a in axes] for k in range(3)]
    return [np.array(column, np.int64) for column in (rows[0], rows[1], axes, rows[2])]


def _is_written(node: ir.Node, window: Window) -> bool:
    arrays = [constant(value) for value in node.inputs[1:]]
    return len(arrays) == 4 and all(
        a is not None and np.array_equal(a, b) for a, b in zip(arrays, _columns(window), strict=True)
    )


def _rewrite(node: ir.Node, window: Window) -> None:
    graph, y = graph_of(node), node.outputs[0]
    names = ("starts", "ends", "axes", "steps")
    inputs = [
        add_initializer(graph, f"{y.name}_{n}", column) for n, column in zip(names, _columns(window), strict=True)
    ]
    new = new_node(node, "Slice", [operand(node), *inputs], name=f"{y.name}_slice", shape=shape_of(y))
    take_over(node, new.outputs[0])
