"""Nearest-neighbour Resize in canonical form.

Rules:
    1. Which row of the input each row of the output repeats is computed as ONNX Runtime does it, in float32: what comes
       out counts, so that every spelling of it is taken.
    2. Row k from row floor(k * size / new) is Resize of mode nearest, asymmetric, floor, by a scale of new / size
       where every kernel finds them. They divide, multiply in float32 or multiply in fixed point, and part where
       k * size / new is a whole number: at 495 of the 4,096 pairs of sizes up to 64, none of them a repetition.
    3. Other rows are taken by Slices, and joined by a Concat; every n-th row is one Slice.
    4. Modes but nearest and what `bilinear` takes are refused: such kernels part in 1 to 15 % of the outputs.
"""

from __future__ import annotations

from collections.abc import Callable

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
    unsupported,
)
from edgegap.graph.splitting import slice_of

Rows = NDArray[np.int64]
Coordinates = NDArray[np.float32]

_WRITTEN = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_HALF = np.float32(0.5)

_COORDINATES: dict[str, Callable[[Coordinates, np.float32, int, int], Coordinates]] = {
    "align_corners": lambda k, scale, size, new: k * np.float32(size - 1) / np.float32(max(new - 1, 1)),
    "asymmetric": lambda k, scale, size, new: k / scale,
    "half_pixel": lambda k, scale, size, new: (k + _HALF) / scale - _HALF,
    "pytorch_half_pixel": lambda k, scale, size, new: (k + _HALF) / scale - _HALF if new > 1 else 0 * k,
}
"""From rows of the output to rows of the input (ONNX's definition of Resize)."""

_TOLERANCE = 1e-6
"""How far from a half ONNX Runtime still takes a coordinate for one."""

_ROUNDINGS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_ceil": lambda x: np.floor(x + 0.5 + _TOLERANCE),
    "round_prefer_floor": lambda x: np.ceil(x - 0.5 - _TOLERANCE),
}
_HINT = "Use nn.Upsample(mode='nearest'), or mode='bilinear' by a whole number without align_corners."


def normalize_resizes(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "Resize":
            changed |= _normalize(node)
    return changed


def scale_of(node: ir.Node, axis: int) -> np.float32:
    """The scale of an axis, as ONNX Runtime has it: given, or the ratio of the sizes.

    Raises:
        UnsupportedOpError: ONNX Runtime and ONNX's shape inference round size * scale to different sizes.
    """
    x, given = operand(node), node.inputs[2] if len(node.inputs) > 2 else None
    size, new = shape_of(x)[axis], shape_of(node.outputs[0])[axis]
    if given is None or shape_of(given) == (0,):
        return np.float32(new) / np.float32(size)
    scales = required_constant(node, 2, "scales").tolist()
    axes = attribute(node, "axes", list(range(len(scales))))
    by_axis = {k % len(shape_of(x)): scale for k, scale in zip(axes, scales, strict=True)}
    scale = np.float32(by_axis.get(axis, 1))
    if int(np.float32(size) * scale) != new:
        raise unsupported(node, f"{size} times {scale} may be {new} or one more", "Give it the size that comes out.")
    return scale


def _normalize(node: ir.Node) -> bool:
    x, y = operand(node), node.outputs[0]
    sizes, wanted = shape_of(x), shape_of(y)
    if attribute(node, "mode", "nearest") != "nearest":
        raise unsupported(node, f"it resizes in mode {attribute(node, 'mode')}", _HINT)
    if len(sizes) != 4 or sizes[:2] != wanted[:2]:
        raise unsupported(node, f"it resizes {list(sizes)} to {list(wanted)}", "Resize the rows and columns of maps.")
    if attribute(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        raise unsupported(node, "it keeps the aspect ratio", "Give it the size that comes out.")
    rows = {axis: _rows(node, axis) for axis in (2, 3)}
    scales = np.ones(4, np.float32)
    for axis, taken in rows.items():
        if _every_kernel_finds(taken, sizes[axis]) and not _is_slice(taken):
            scales[axis] = _scale_to_write(sizes[axis], len(taken))
    rest = {axis: taken for axis, taken in rows.items() if scales[axis] == 1}
    if all(np.array_equal(taken, np.arange(sizes[axis])) for axis, taken in rest.items()) and _is_written(node, scales):
        return False
    name = str(y.name)
    if (scales != 1).any():
        x = _resized(node, x, scales, f"{name}_repeated")
    for axis, taken in rest.items():
        x = _taken(node, x, axis, taken, f"{name}_axis{axis}")
    replace(node, x)
    return True


def _rows(node: ir.Node, axis: int) -> Rows:
    """Rule 1; rounded in float64, which adds no halves of its own."""
    size, new = shape_of(operand(node))[axis], shape_of(node.outputs[0])[axis]
    coordinates = attribute(node, "coordinate_transformation_mode", "half_pixel")
    if coordinates not in _COORDINATES:
        raise unsupported(node, f"its coordinates are {coordinates}", _HINT)
    x = _COORDINATES[coordinates](np.arange(new, dtype=np.float32), scale_of(node, axis), size, new)
    rows = _ROUNDINGS[attribute(node, "nearest_mode", "round_prefer_floor")](x.astype(np.float64))
    return rows.clip(0, size - 1).astype(np.int64)


def _scale_to_write(size: int, new: int) -> np.float32:
    """The least scale that gives `new` rows: floor(size * scale), whether in float32 or in float64."""
    scale = np.float32(new) / np.float32(size)
    return scale if size * float(scale) >= new else np.nextafter(scale, np.float32(np.inf))


def _every_kernel_finds(rows: Rows, size: int) -> bool:
    """Rule 2: in exact arithmetic, in ONNX Runtime, in LiteRT in float, and in LiteRT in int8."""
    k, new = np.arange(len(rows)), len(rows)
    x = k.astype(np.float32)
    found = [
        k * size // new,
        np.floor(x / _scale_to_write(size, new)),
        np.floor(x * (np.float32(size) / np.float32(new))),
        k * ((size << 16) // new + 1) >> 16,
    ]
    return all(np.array_equal(rows, each) for each in found)


def _is_slice(rows: Rows) -> bool:
    steps = np.diff(rows)
    return bool((steps == steps[:1]).all() and (steps > 0).all())


def _is_written(node: ir.Node, scales: NDArray[np.float32]) -> bool:
    inputs = [constant(value) for value in node.inputs[1:]]  # None: an empty name, or computed
    stated = len(inputs) == 2 and inputs[0] is not None and inputs[1] is not None
    same = stated and np.array_equal(np.asarray(inputs[1]), scales)
    return bool((scales != 1).any()) and same and all(attribute(node, key) == value for key, value in _WRITTEN.items())


def _resized(node: ir.Node, x: ir.Value, scales: NDArray[np.float32], name: str) -> ir.Value:
    graph, wanted = graph_of(node), shape_of(node.outputs[0])
    shape = [new if scale != 1 else size for size, new, scale in zip(shape_of(x), wanted, scales, strict=True)]
    region = add_initializer(graph, f"{name}_region", np.zeros(0, np.float32))
    inputs = [x, region, add_initializer(graph, f"{name}_scales", scales)]
    return new_node(node, "Resize", inputs, _WRITTEN, name=name, shape=shape).outputs[0]


def _taken(node: ir.Node, x: ir.Value, axis: int, rows: Rows, name: str) -> ir.Value:
    """Rule 3."""
    size = shape_of(x)[axis]
    if np.array_equal(rows, np.arange(size)):
        return x
    if _is_slice(rows):
        step = int(rows[1] - rows[0]) if len(rows) > 1 else 1
        return slice_of(node, x, axis, int(rows[0]), min(int(rows[-1]) + step, size), name, step)
    parts = {row: slice_of(node, x, axis, row, row + 1, f"{name}_{row}") for row in sorted(set(rows.tolist()))}
    shape = [len(rows) if k == axis else old for k, old in enumerate(shape_of(x))]
    joined = [parts[row] for row in rows.tolist()]
    return new_node(node, "Concat", joined, {"axis": axis}, name=f"{name}_joined", shape=shape).outputs[0]
