"""Networks of one dimension: a line [N, C, L] is a map [N, C, 1, L] of one row, and nothing else has to know lines.

Rules:
    1. An input [N, C, L] becomes an input [N, C, 1, L].
    2. A convolution, pool or BatchNormalization of a line is that of a map, whose window has a height of 1.
    3. Whatever reads a line that was a map before reads the map, and gives one: functions of one value, Add and its
       like, Concat, Pad, Slice, Transpose, reductions, MatMul by a matrix, LayerNormalization over the last axis.
    4. A Reshape of such a line is a Reshape of the map. Where it gives a line, that is a map of one row too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
    replace,
    reshaped,
    shape_of,
    take_over,
)
from edgegap.graph.normalization import TO_NCHW, TO_NHWC

_ROW = 2
"""The axis of a map that a line has not."""

_LAST = 1
"""The same where the channels come last: a line [N, L, C] is a map [N, 1, L, C], which LayerNorm and Linear take."""

_AXES = {_ROW: (0, 1, 3), _LAST: (0, 2, 3)}
"""Where the axes of a line lie in its map."""


def lift_input(model: ir.Model) -> bool:
    """Rule 1, in place: the new input has the old one's name, and a Squeeze makes the line of it. Says whether it does.

    Args:
        model: with one input, of any rank.
    """
    line = model.graph.inputs[0]
    if line.shape is None or len(line.shape) != 3:
        return False
    n, channels, length = line.shape
    first = next(iter(model.graph))
    image = ir.val(line.name, type=line.type, shape=ir.Shape([n, channels, 1, length]))
    line.name = None
    model.graph.inputs[0] = image
    axis = add_initializer(model.graph, f"{image.name}_row", np.array([_ROW], np.int64))
    squeezed = new_node(first, "Squeeze", [image, axis], name=f"{image.name}_line").outputs[0]
    squeezed.type, squeezed.shape = line.type, line.shape
    line.replace_all_uses_with(squeezed)
    return True


def lift_lines(model: ir.Model) -> bool:
    """Rules 2 to 4, in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        rule = _RULES.get(node.op_type)
        if rule is not None and node.inputs and not any(y.uses() for y in node.outputs[1:]):
            changed |= rule(node)
    return changed


def _window(node: ir.Node) -> bool:
    if not _has_rank_3(operand(node)):
        return False
    inputs = [_map_of(node, operand(node), _ROW), *node.inputs[1:]]
    if node.op_type.startswith("Conv"):
        weight = constant(node.inputs[1])
        if weight is None:
            return False
        inputs[1] = add_initializer(graph_of(node), f"{operand(node, 1).name}_lifted", weight[:, :, None])
    attributes: dict[str, Any] = dict(node.attributes)
    for name, of_the_row in (("kernel_shape", 1), ("strides", 1), ("dilations", 1), ("output_padding", 0)):
        if name in attributes:
            attributes[name] = [of_the_row, *attribute(node, name)]
    if "pads" in attributes:
        first, last = attribute(node, "pads")
        attributes["pads"] = [0, first, 0, last]
    return _put(node, inputs, attributes, _given(node, _ROW))


def _per_channel(node: ir.Node) -> bool:
    if not _has_rank_3(operand(node)):
        return False
    inputs = [_map_of(node, operand(node), _ROW), *node.inputs[1:]]
    return _put(node, inputs, node.attributes, _given(node, _ROW))


def _elementwise(node: ir.Node) -> bool:
    row = next((found for found in map(_row_of, node.inputs) if found is not None), None)
    if row is None or not _has_rank_3(node.outputs[0]):
        return False
    return _put(node, [_aligned(node, value, row) for value in node.inputs], node.attributes, _given(node, row))


def _join(node: ir.Node) -> bool:
    row = next((found for found in map(_row_of, node.inputs) if found is not None), None)
    if row is None:
        return False
    inputs = [_map_of(node, operand(node, k), row) for k in range(len(node.inputs))]
    return _put(node, inputs, {"axis": _AXES[row][attribute(node, "axis")]}, _given(node, row))


def _slice(node: ir.Node) -> bool:
    row, axes = _row_of(operand(node)), constant(node.inputs[3]) if len(node.inputs) > 3 else None
    if row is None or axes is None:
        return False
    lifted = _ints(node, "axes", [_AXES[row][axis] for axis in axes])
    inputs = [_map_of(node, operand(node), row), *node.inputs[1:3], lifted, *node.inputs[4:]]
    return _put(node, inputs, {}, _given(node, row))


def _pad(node: ir.Node) -> bool:
    row, pads = _row_of(operand(node)), constant(node.inputs[1])
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] is not None else range(3)
    if row is None or pads is None or axes is None:
        return False
    full = np.zeros(8, np.int64)
    for axis, first, last in zip(axes, *np.split(pads, 2), strict=True):
        full[_AXES[row][axis]], full[_AXES[row][axis] + 4] = first, last
    inputs = [_map_of(node, operand(node), row), _ints(node, "pads", full), *node.inputs[2:3]]
    return _put(node, inputs, node.attributes, _given(node, row))


def _transpose(node: ir.Node) -> bool:
    row = _row_of(operand(node))
    if row is None or attribute(node, "perm") != [0, 2, 1]:
        return False
    perm, to = (TO_NHWC, _LAST) if row == _ROW else (TO_NCHW, _ROW)
    return _put(node, [_map_of(node, operand(node), row)], {"perm": perm}, _given(node, to))


def _reduce(node: ir.Node) -> bool:
    row, gone = _row_of(operand(node)), reduced_axes(node)
    if row is None or not gone:
        return False
    axes = {_AXES[row][axis] for axis in gone}
    along = row in gone  # then the axis of L goes, and that of the row with it
    inputs = [_map_of(node, operand(node), row), _ints(node, "axes", sorted(axes | {row} if along else axes))]
    if along and not attribute(node, "keepdims", 1):
        return _put(node, inputs, {"keepdims": 0}, shape_of(node.outputs[0]))
    kept = [1 if axis in gone else size for axis, size in enumerate(shape_of(operand(node)))]
    return _put(node, inputs, {"keepdims": 1}, _with_row(kept, row))


def _last_axis(node: ir.Node) -> bool:
    """MatMul by a matrix, and LayerNormalization."""
    row, weight = _row_of(operand(node)), constant(node.inputs[1])
    if row is None or weight is None or weight.ndim > 2 or attribute(node, "axis", -1) not in (-1, 2):
        return False
    attributes = dict(node.attributes) | ({"axis": -1} if node.op_type == "LayerNormalization" else {})
    return _put(node, [_map_of(node, operand(node), row), *node.inputs[1:]], attributes, _given(node, row))


def _reshape(node: ir.Node) -> bool:
    x, y = operand(node), node.outputs[0]
    row = _row_of(x)
    if row is None or x.is_graph_input() or not _is_known(y):
        return False
    image = _map_of(node, x, row)
    if _has_rank_3(y):
        image = reshaped(node, image, _given(node, _ROW), name=f"{y.name}_map")
    if shape_of(image) != shape_of(y):
        take_over(node, reshaped(node, image, shape_of(y), name=f"{y.name}_reshaped"))
    elif image.is_graph_input() and y.is_graph_output():
        return False
    else:
        replace(node, image)
    return True


def _put(node: ir.Node, inputs: Sequence[ir.Value | None], attributes: Mapping[str, Any], shape: Sequence[int]) -> bool:
    """Put the same op on maps in the place of `node`, and a Reshape to the shape that `node` gives behind it.

    What computes keeps its names: reports call it by them.

    Args:
        node: an op on lines.
        inputs: of the op on maps.
        attributes: likewise.
        shape: of what that gives.
    """
    y = node.outputs[0]
    lifted = new_node(node, node.op_type, inputs, attributes, name=f"{y.name}_line", shape=shape)
    computed = lifted.outputs[0]
    line = reshaped(node, computed, shape_of(y), name=f"{y.name}_flat")
    computed.type = line.type = y.type
    take_over(node, line)
    if not line.is_graph_output():
        computed.name, line.name = line.name, computed.name
        lifted.name = node.name
    return True


def _given(node: ir.Node, row: int) -> tuple[int, ...]:
    """The shape of the map of what `node` gives."""
    return _with_row(shape_of(node.outputs[0]), row)


def _with_row(shape: Sequence[int], row: int) -> tuple[int, ...]:
    return (*shape[:row], 1, *shape[row:])


def _is_known(value: ir.Value | None) -> bool:
    return value is not None and value.shape is not None and value.shape.is_static()


def _has_rank_3(value: ir.Value | None) -> bool:
    return value is not None and _is_known(value) and len(shape_of(value)) == 3


def _row_of(line: ir.Value | None) -> int | None:
    """The axis that a line's map has and the line has not; None for what was no map before, such as a matrix for each
    image.
    """
    if line is None or not _has_rank_3(line):
        return None
    if line.is_graph_input():
        return _ROW
    maker = line.producer()
    if maker is None or maker.op_type not in ("Reshape", "Squeeze") or not _is_known(maker.inputs[0]):
        return None
    shape, before = shape_of(line), shape_of(operand(maker))
    return next((row for row in (_ROW, _LAST) if before == _with_row(shape, row)), None)


def _map_of(node: ir.Node, line: ir.Value, row: int) -> ir.Value:
    """The map of a line, put in front of `node` where there is none."""
    array, maker, shape = constant(line), line.producer(), shape_of(line)
    if array is not None:
        return add_initializer(graph_of(node), f"{line.name}_lifted", np.expand_dims(array, row))
    before = line if maker is None or _row_of(line) is None else operand(maker)
    if shape_of(before) == _with_row(shape, row):
        return before
    return reshaped(node, before, _with_row(shape, row), name=f"{line.name}_map")


def _aligned(node: ir.Node, value: ir.Value | None, row: int) -> ir.Value | None:
    """`value` so that it broadcasts to maps as it did to lines."""
    missing = 3 - (0 if value is None else len(shape_of(value)))
    if value is None or row <= missing:
        return value
    if missing == 0:
        return _map_of(node, value, row)
    array, (channels, length) = constant(value), shape_of(value)
    if array is not None:
        return add_initializer(graph_of(node), f"{value.name}_lifted", array[:, None])
    return reshaped(node, value, (channels, 1, length), name=f"{value.name}_map")


def _ints(node: ir.Node, what: str, values: Sequence[int] | np.ndarray) -> ir.Value:
    return add_initializer(graph_of(node), f"{node.outputs[0].name}_{what}", np.array(values, np.int64))


_FUNCTIONS = (
    *("Cast", "Clip", "DequantizeLinear", "Dropout", "Elu", "Erf", "Gelu", "HardSwish", "Identity"),
    *("Mish", "Neg", "QuantizeLinear", "Relu", "Sigmoid", "Softplus", "Sqrt", "Tanh"),
)
_OF_TWO = ("Add", "Div", "Max", "Min", "Mul", "Pow", "Sub")

_RULES: dict[str, Callable[[ir.Node], bool]] = {
    **dict.fromkeys(("AveragePool", "Conv", "ConvTranspose", "MaxPool"), _window),
    **dict.fromkeys(("BatchNormalization", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"), _per_channel),
    **dict.fromkeys((*_FUNCTIONS, *_OF_TWO), _elementwise),
    **dict.fromkeys(("ReduceL2", "ReduceMax", "ReduceMean", "ReduceSum"), _reduce),
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), _reshape),
    "Concat": _join,
    "LayerNormalization": _last_axis,
    "MatMul": _last_axis,
    "Pad": _pad,
    "Slice": _slice,
    "Transpose": _transpose,
}
