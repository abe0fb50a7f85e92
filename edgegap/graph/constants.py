"""Compute at export what does not depend on the image.

Rules:
    1. A Constant node becomes an initializer.
    2. Shape of a value whose shape is static is a constant.
    3. A node whose inputs are all initializers is evaluated once with ONNX's reference implementation.
    4. A Clip, Relu or arithmetic node on constants falls under rule 3; a node with a subgraph or of a domain other than
       ONNX's own never does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import LiftConstantsToInitializersPass, RemoveUnusedNodesPass

from edgegap.graph.nodes import OPSET, add_initializer, attribute, constant, graph_of, operand

_NEVER_FOLDED = {"DequantizeLinear", "QuantizeLinear"}


def fold_constants(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model).modified
    for node in model.graph:
        array = _value_of(node, model.graph.opset_imports.get("", OPSET))
        if array is None:
            continue
        graph = graph_of(node)
        old = node.outputs[0]
        if old.is_graph_output():
            continue
        folded = add_initializer(graph, f"{old.name}_folded", array)
        old.replace_all_uses_with(folded)
        graph.remove(node, safe=True)
        changed = True
    return RemoveUnusedNodesPass()(model).modified or changed


def _value_of(node: ir.Node, opset: int) -> NDArray[Any] | None:
    if node.op_type == "Shape":
        shape = operand(node).shape
        if shape is None or not all(isinstance(d, int) for d in shape):
            return None
        dims = np.array([int(d) for d in shape], np.int64)  # type: ignore[arg-type]  # all int, checked above
        return dims[slice(attribute(node, "start", 0), attribute(node, "end"))]
    if node.op_type in _NEVER_FOLDED or node.domain or len(node.outputs) != 1 or not node.inputs:
        return None
    if any(attr.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for attr in node.attributes.values()):
        return None
    arrays = [None if value is None else constant(value) for value in node.inputs]
    if any(array is None and value is not None for array, value in zip(arrays, node.inputs, strict=True)):
        return None
    return _evaluate(node, arrays, opset)


def _evaluate(node: ir.Node, arrays: list[NDArray[Any] | None], opset: int) -> NDArray[Any]:
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415  # slow to import, and rarely needed

    inputs = [None if a is None else ir.val(f"x{k}", dtype=ir.tensor(a).dtype) for k, a in enumerate(arrays)]
    copy = ir.node(node.op_type, inputs, attributes=dict(node.attributes), outputs=[ir.val("y")])
    known = [value for value in inputs if value is not None]
    graph = ir.Graph(known, copy.outputs, nodes=[copy], opset_imports={"": opset}, name="constant")
    proto = ir.to_proto(ir.Model(graph, ir_version=10))
    feeds = {f"x{k}": array for k, array in enumerate(arrays) if array is not None}
    (result,) = ReferenceEvaluator(proto).run(None, feeds)
    return np.asarray(result)
