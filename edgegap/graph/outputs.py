"""Networks with more than one output: the first is the logits, as in every classifier with auxiliary heads."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass


def keep_first_output(model: ir.Model) -> str | None:
    """Drop all outputs but the first, and what only they need, in place; a sentence that says so, if there were any."""
    first, *others = model.graph.outputs
    if not others:
        return None
    names = ", ".join(str(value.name) for value in others)
    del model.graph.outputs[1:]
    RemoveUnusedNodesPass()(model)
    return (
        f"the network has {1 + len(others)} outputs: only the first, {first.name}, is exported, as the logits; "
        f"dropped: {names}"
    )
