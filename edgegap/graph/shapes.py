"""Static shapes: bind the inputs, infer the rest."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from edgegap.errors import ModelError


def infer_shapes(model: ir.Model) -> None:
    """Give every value its type and shape (ONNX's own inference, with data propagation)."""
    try:
        ShapeInferencePass(check_type=True, strict_mode=True, data_prop=True)(model)
    except Exception as error:  # ruff: ignore[BLE001]
        raise ModelError(
            f"the shapes of the network contradict each other: {str(error).splitlines()[0]}",
            hint="Does the network take inputs of this size? Try --input-shape C,H,W.",
        ) from error


def bind_input(model: ir.Model, shape: tuple[int, ...]) -> None:
    """Fix the shape of the one graph input and forget every other activation's shape.

    Args:
        model: a model with one input.
        shape: N, C, H, W.
    """
    model.graph.inputs[0].shape = ir.Shape(shape)
    for node in model.graph:
        for output in node.outputs:
            output.shape = None
    infer_shapes(model)


def set_batch(model: ir.Model, batch: int) -> None:
    """Bind the batch size of a model that does not depend on it, canonical or in normal form."""
    shape = list(model.graph.inputs[0].shape or ())
    if shape[0] != batch:
        bind_input(model, (batch, *(int(d) for d in shape[1:])))  # type: ignore[call-overload]  # static by form
