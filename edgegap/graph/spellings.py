"""Functions of one value in whatever spelling an exporter gives them, as one op each.

Rules:
    1. Elementwise ops around one op, of one value x and of constants, are known by what they give, not by how they are
       spelled:
         around an Erf       x Phi(x)                                           Gelu
         around a Tanh       x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))  Gelu of approximate="tanh"
                             x tanh(ln(1 + e^x))                                Mish
         up to a Log, Where  ln(1 + e^x)                                        Softplus; torch gives x itself above 20
       (Hendrycks and Gimpel, 2016, arXiv:1606.08415; Misra, 2019, arXiv:1908.08681.)
    2. A network with a Gelu is of opset 20 at least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
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


def softplus(x: Array) -> Array:
    """What Softplus computes."""
    y: Array = np.logaddexp(0, x)
    return y


def mish(x: Array) -> Array:
    """What Mish computes."""
    y: Array = x * np.tanh(softplus(x))
    return y


def gelu(x: Array) -> Array:
    """What Gelu computes."""
    y: Array = x * special.ndtr(x)
    return y


def tanh_gelu(x: Array) -> Array:
    """What Gelu computes with approximate="tanh"."""
    y: Array = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return y


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Div": np.divide,
    "Erf": special.erf,
    "Exp": np.exp,
    "Greater": np.greater,
    "Log": np.log,
    "Mul": np.multiply,
    "Pow": np.power,
    "Softplus": softplus,
    "Sub": np.subtract,
    "Tanh": np.tanh,
    "Where": np.where,
}
_AHEAD, _BEHIND = 7, 4
"""Nodes in a row that a spelling has at most in front of the op that it is around, and behind it."""

_SAMPLES: Array = np.linspace(-24, 24, 193)
"""Beyond 20 on both sides, where torch's Softplus is another formula."""


@dataclass(frozen=True)
class _Form:
    op_type: str
    computes: Callable[[Array], Array]
    attributes: Mapping[str, str] = field(default_factory=dict)


_SOFTPLUS = (_Form("Softplus", softplus),)
_FORMS: dict[str, tuple[_Form, ...]] = {
    "Erf": (_Form("Gelu", gelu, {"approximate": "none"}),),
    "Log": _SOFTPLUS,
    "Tanh": (_Form("Gelu", tanh_gelu, {"approximate": "tanh"}), _Form("Mish", mish)),
    "Where": _SOFTPLUS,
}
"""What may be spelled around each op."""


def recognize_functions(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        found = _spelled_around(node) if node.op_type in _FORMS else None
        if found is not None:
            form, last, x = found
            name = f"{last.outputs[0].name}_{form.op_type.lower()}"
            function = new_node(last, form.op_type, [x], form.attributes, name=name, shape=shape_of(x))
            take_over(last, function.outputs[0])
            changed = True
    if any(node.op_type == "Gelu" for node in model.graph) and model.graph.opset_imports[""] < GELU_OPSET:
        model.graph.opset_imports[""] = GELU_OPSET
        changed = True
    return changed


def _spelled_around(node: ir.Node) -> tuple[_Form, ir.Node, ir.Value] | None:
    """The function that `node` is a part of, the last node of its spelling, and what it is of."""
    for last in _from(node):
        for x in _ahead(node):
            given = _computed(last.outputs[0], x)
            if given is None or shape_of(x) != shape_of(last.outputs[0]):
                continue
            for form in _FORMS[node.op_type]:
                if np.allclose(given, form.computes(_SAMPLES), atol=1e-6):
                    return form, last, x
    return None


def _from(node: ir.Node) -> Iterator[ir.Node]:
    """`node`, and what alone reads it, and so on."""
    yield node
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
    with np.errstate(all="ignore"):  # a division by zero is none of these functions
        result: Array = _ELEMENTWISE[node.op_type](*inputs)
    return result
