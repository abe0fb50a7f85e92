"""GELU in whatever spelling an exporter gives it, as the op Gelu of opset 20.

Rules:
    1. Elementwise ops around an Erf, of one value x and of constants, that compute x Phi(x) are Gelu(x); around a Tanh,
       that compute x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), Gelu(x) of approximate="tanh" (Hendrycks and
       Gimpel, 2016, arXiv:1606.08415). They are known by what they give, not by how they are spelled.
    2. A network with a Gelu is of opset 20 at least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from scipy import special

from edgegap.graph.nodes import (
    GELU_OPSET,
    constant,
    new_node,
    operand,
    shape_of,
    sole_consumer,
    take_over,
)

Array = NDArray[np.float64]

_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Div": np.divide,
    "Erf": special.erf,
    "Mul": np.multiply,
    "Pow": np.power,
    "Sub": np.subtract,
    "Tanh": np.tanh,
}
_AHEAD, _BEHIND = 7, 4
"""Nodes in a row that a spelling has at most in front of its Erf or Tanh, and behind it."""

_SAMPLES: Array = np.linspace(-6, 6, 49)


def tanh_gelu(x: Array) -> Array:
    """What Gelu computes with approximate="tanh"."""
    y: Array = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return y


_FORMS: dict[str, tuple[str, Array]] = {
    "Erf": ("none", _SAMPLES * special.ndtr(_SAMPLES)),
    "Tanh": ("tanh", tanh_gelu(_SAMPLES)),
}
"""What `approximate` is around each op, and what the samples become."""


def recognize_gelu(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        found = _gelu_around(node) if node.op_type in _FORMS else None
        if found is not None:
            last, x = found
            name, form = f"{last.outputs[0].name}_gelu", {"approximate": _FORMS[node.op_type][0]}
            gelu = new_node(last, "Gelu", [x], form, name=name, shape=shape_of(x))
            take_over(last, gelu.outputs[0])
            changed = True
    if any(node.op_type == "Gelu" for node in model.graph) and model.graph.opset_imports[""] < GELU_OPSET:
        model.graph.opset_imports[""] = GELU_OPSET
        changed = True
    return changed


def _gelu_around(node: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """The last node of a GELU, and what it is of."""
    _, wanted = _FORMS[node.op_type]
    for last in _behind(node):
        for x in _ahead(node):
            given = _computed(last.outputs[0], x)
            if given is None or shape_of(x) != shape_of(last.outputs[0]):
                continue
            if np.allclose(given, wanted, atol=1e-6):
                return last, x
    return None


def _behind(node: ir.Node) -> Iterator[ir.Node]:
    for _ in range(_BEHIND):
        reader = sole_consumer(node.outputs[0])
        if reader is None or reader.op_type not in _ELEMENTWISE:
            return
        yield (node := reader)


def _ahead(node: ir.Node) -> list[ir.Value]:
    """What `node` is computed of, the nearest first."""
    found: dict[ir.Value, None] = {}
    nodes = [node]
    for _ in range(_AHEAD):
        values = [value for n in nodes for value in n.inputs if value is not None and constant(value) is None]
        found |= dict.fromkeys(values)
        makers = dict.fromkeys(value.producer() for value in values)
        nodes = [maker for maker in makers if maker is not None and maker.op_type in _ELEMENTWISE]
    return list(found)


def _computed(value: ir.Value, x: ir.Value, depth: int = _AHEAD + _BEHIND) -> Array | None:
    """What `value` is at the samples of `x`; None where it is no function of `x` alone."""
    if value is x:
        return _SAMPLES
    array, node = constant(value), value.producer()
    if array is not None:
        return np.asarray(array, np.float64).reshape(()) if array.size == 1 else None
    if node is None or node.op_type not in _ELEMENTWISE or not depth:
        return None
    inputs = [_computed(operand(node, k), x, depth - 1) for k in range(len(node.inputs))]
    if any(given is None for given in inputs):
        return None
    with np.errstate(all="ignore"):  # a division by zero is no GELU
        result: Array = _ELEMENTWISE[node.op_type](*inputs)
    return result
