"""GELU in whatever spelling an exporter gives it, as the op Gelu of opset 20.

Rules:
    1. A chain of elementwise ops around an Erf, of one value x and of constants, that computes x Phi(x) is Gelu(x)
       (Hendrycks and Gimpel, 2016, arXiv:1606.08415). It is known by what it gives, not by how it is spelled.
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
    attribute,
    constant,
    new_node,
    operand,
    shape_of,
    sole_consumer,
    take_over,
    unsupported,
)

Array = NDArray[np.float64]

_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Div": np.divide,
    "Erf": special.erf,
    "Mul": np.multiply,
    "Sub": np.subtract,
}
_REACH = 4
"""Nodes that a spelling has at most on either side of its Erf."""

_SAMPLES: Array = np.linspace(-6, 6, 49)


def recognize_gelu(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "Gelu" and attribute(node, "approximate", "none") != "none":
            what = f"it approximates GELU by {attribute(node, 'approximate')}"
            raise unsupported(node, what, "Use nn.GELU() without approximate: it is one op in both formats.")
        found = _gelu_around(node) if node.op_type == "Erf" else None
        if found is not None:
            last, x = found
            gelu = new_node(last, "Gelu", [x], name=f"{last.outputs[0].name}_gelu", shape=shape_of(x))
            take_over(last, gelu.outputs[0])
            changed = True
    if any(node.op_type == "Gelu" for node in model.graph) and model.graph.opset_imports[""] < GELU_OPSET:
        model.graph.opset_imports[""] = GELU_OPSET
        changed = True
    return changed


def _gelu_around(erf: ir.Node) -> tuple[ir.Node, ir.Value] | None:
    """The last node of a GELU, and what it is of."""
    wanted = _SAMPLES * special.ndtr(_SAMPLES)
    for last in _forwards(erf):
        for x in _backwards(erf):
            given = _computed(last.outputs[0], x)
            if given is None or shape_of(x) != shape_of(last.outputs[0]):
                continue
            if np.allclose(given, wanted, atol=1e-6):
                return last, x
    return None


def _forwards(node: ir.Node) -> Iterator[ir.Node]:
    for _ in range(_REACH):
        reader = sole_consumer(node.outputs[0])
        if reader is None or reader.op_type not in _ELEMENTWISE:
            return
        yield (node := reader)


def _backwards(node: ir.Node) -> Iterator[ir.Value]:
    for _ in range(_REACH):
        variables = [value for value in node.inputs if value is not None and constant(value) is None]
        if len(variables) != 1:
            return
        yield variables[0]
        producer = variables[0].producer()
        if producer is None or producer.op_type not in _ELEMENTWISE:
            return
        node = producer


def _computed(value: ir.Value, x: ir.Value, depth: int = 2 * _REACH) -> Array | None:
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
