"""Resize in canonical form: nearest neighbour, by whole numbers.

Rules:
    1. Every k-fold repetition of rows and columns is Resize of mode nearest, asymmetric, floor, by scales [1, 1, k, l].
       What the coordinates round to is compared, so that every spelling of it is taken.
    2. Anything else is refused: bilinear kernels part between the runtimes in 1 to 15 % of the outputs.
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
    take_over,
    unsupported,
)

_WRITTEN = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_COORDINATES: dict[str, Callable[[NDArray[np.float64], float, float], NDArray[np.float64]]] = {
    "align_corners": lambda k, scale, between: k * between,
    "asymmetric": lambda k, scale, between: k / scale,
    "half_pixel": lambda k, scale, between: (k + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda k, scale, between: (k + 0.5) / scale - 0.5,
}
"""From rows of the output to rows of the input; `between` is the step where first and last rows fall together."""

_ROUNDINGS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
}
_HINT = "Use nn.Upsample(scale_factor=2, mode='nearest'), or another whole number."


def normalize_resizes(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type != "Resize":
            continue
        factors = _factors(node)
        if set(factors) == {1}:
            replace(node, operand(node))
        elif _is_written(node, factors):
            continue
        else:
            _rewrite(node, factors)
        changed = True
    return changed


def _factors(node: ir.Node) -> list[int]:
    """How often each axis is repeated; UnsupportedOpError where it is another kind of Resize."""
    sizes, wanted = shape_of(operand(node)), shape_of(node.outputs[0])
    if attribute(node, "mode", "nearest") != "nearest":
        raise unsupported(node, f"it resizes in mode {attribute(node, 'mode')}", _HINT)
    if len(sizes) != 4 or sizes[:2] != wanted[:2] or any(b % a for a, b in zip(sizes, wanted, strict=True)):
        raise unsupported(node, f"it resizes {list(sizes)} to {list(wanted)}", _HINT)
    scales = _scales(node)
    for axis in (2, 3):
        size, new = sizes[axis], wanted[axis]
        if not np.array_equal(_sources(node, size, new, scales.get(axis)), np.arange(new) // (new // size)):
            raise unsupported(node, "its nearest pixels are not those of a repetition", _HINT)
    return [b // a for a, b in zip(sizes, wanted, strict=True)]


def _scales(node: ir.Node) -> dict[int, float]:
    """The scales that are given, by axis; none where sizes are. They need not be the ratio of the sizes."""
    given = node.inputs[2] if len(node.inputs) > 2 else None
    if given is None or shape_of(given) == (0,):
        return {}
    scales = required_constant(node, 2, "scales").tolist()
    axes = attribute(node, "axes", list(range(len(scales))))
    return {axis % len(shape_of(operand(node))): scale for axis, scale in zip(axes, scales, strict=True)}


def _sources(node: ir.Node, size: int, new: int, scale: float | None) -> NDArray[np.int64]:
    """The row of the input that each row of the output repeats, by ONNX's definition of Resize."""
    k = np.arange(new, dtype=np.float64)
    coordinates = attribute(node, "coordinate_transformation_mode", "half_pixel")
    if coordinates not in _COORDINATES:
        raise unsupported(node, f"its coordinates are {coordinates}", _HINT)
    x = _COORDINATES[coordinates](k, scale or new / size, max(size - 1, 1) / max(new - 1, 1))
    rows = _ROUNDINGS[attribute(node, "nearest_mode", "round_prefer_floor")](x)
    return rows.clip(0, size - 1).astype(np.int64)


def _is_written(node: ir.Node, factors: list[int]) -> bool:
    inputs = [constant(value) for value in node.inputs[1:]]  # None: an empty name, or computed
    stated = len(inputs) == 2 and inputs[0] is not None and inputs[1] is not None
    same = stated and np.array_equal(np.asarray(inputs[1]), factors)
    return same and all(attribute(node, name) == value for name, value in _WRITTEN.items())


def _rewrite(node: ir.Node, factors: list[int]) -> None:
    name, graph = node.outputs[0].name, graph_of(node)
    region = add_initializer(graph, f"{name}_region", np.zeros(0, np.float32))
    scales = add_initializer(graph, f"{name}_scales", np.array(factors, np.float32))
    inputs = [operand(node), region, scales]
    resized = new_node(node, "Resize", inputs, _WRITTEN, name=f"{name}_repeated", shape=shape_of(node.outputs[0]))
    take_over(node, resized.outputs[0])
