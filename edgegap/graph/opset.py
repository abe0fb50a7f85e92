"""Older opsets, spelled as opset 18 spells them.

Rules, for opsets 13 to 17 (what else changed up to 18 are types, and attributes whose defaults mean the same):
    1. The axes of ReduceMean and its kind become an input; ReduceSum has them there since 13.
    2. A Split without sizes states its number of outputs.
    3. BatchNormalization says that it trains by an attribute since opset 14, and by naming more outputs before.

Later opsets keep their number until the model is canonical: up to 23 every op of opset 18 is still there and means the
same, but for GroupNormalization, whose scale and bias go by channel since 21.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import OPSET, add_initializer, attribute, unsupported

_REDUCTIONS = frozenset(
    f"Reduce{what}" for what in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
)


def upgrade(model: ir.Model) -> None:
    """Apply the rules above in place.

    Args:
        model: opset 13 or later, its functions inlined.

    Raises:
        UnsupportedOpError: under rule 3, a layer that trains.
    """
    opset = model.opset_imports[""]
    if opset >= OPSET:
        return
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if node.domain:
            continue
        if node.op_type in _REDUCTIONS and (axes := attribute(node, "axes")) is not None:
            del node.attributes["axes"]
            node.resize_inputs(2)
            node.replace_input_with(1, add_initializer(model.graph, f"{node.outputs[0].name}_axes", _ints(axes)))
        elif node.op_type == "Split" and (len(node.inputs) < 2 or node.inputs[1] is None):
            node.attributes["num_outputs"] = ir.AttrInt64("num_outputs", len(node.outputs))
        elif node.op_type == "BatchNormalization" and opset < 14 and len(node.outputs) > 1:
            raise unsupported(node, "it is in training mode", "Call eval() before exporting.")
    model.opset_imports[""] = OPSET


def _ints(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)
