"""Static shapes: bind the inputs, infer the rest."""

from __future__ import annotations

from math import prod

import onnx
import onnx_ir as ir
from onnx_ir.convenience import create_value_mapping

from edgegap.errors import ModelError
from edgegap.graph.nodes import describe, shape_of

FITS = "Does the network take inputs of this size? Try --input-shape C,H,W."

_LARGE = 1024
"""Bytes: shape inference needs the values of smaller tensors only, such as the target of a Reshape."""


def infer_shapes(model: ir.Model) -> None:
    """Give every value its type and shape (ONNX's own inference, with data propagation).

    onnx_ir's pass for this only logs a contradiction; here it is an error.

    Raises:
        ModelError: shapes that contradict each other.
    """
    skeleton = model.clone()
    for name, value in list(skeleton.graph.initializers.items()):
        if value.const_value is not None and value.const_value.nbytes > _LARGE:
            del skeleton.graph.initializers[name]
            value.const_value = None
            skeleton.graph.inputs.append(value)
    try:
        proto = onnx.shape_inference.infer_shapes(
            ir.to_proto(skeleton), check_type=True, strict_mode=True, data_prop=True
        )
    except onnx.shape_inference.InferenceError as error:
        reason = str(error).strip().splitlines()[0].removeprefix("[ShapeInferenceError] ")
        raise ModelError(f"the shapes of the network contradict each other: {reason}", hint=FITS) from error
    inferred = create_value_mapping(ir.from_proto(proto).graph)
    for name, value in create_value_mapping(model.graph).items():
        known = inferred.get(name)
        if known is None or value.is_initializer():
            continue
        if known.shape is not None:
            value.shape = known.shape
        if known.dtype is not None:
            value.dtype = known.dtype


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
    now, *rest = shape_of(model.graph.inputs[0])
    if now != batch:
        bind_input(model, (batch, *rest))


def check_batch(model: ir.Model) -> None:
    """Whether `set_batch` may be asked of a model of one image: all that it makes follows the number of images.

    Raises:
        ModelError: of two images a node makes something else than twice as much, or the output is no row for each.
    """
    hint = "Keep the batch as the first axis, and let nothing join, take or pad along it."
    twice = model.clone()
    try:
        set_batch(twice, 2)
    except ModelError as error:
        raise ModelError(f"the network takes one image at a time only: {error.what}", hint=hint) from error
    for node, doubled in zip(model.graph, twice.graph, strict=True):
        one, two = shape_of(node.outputs[0]), shape_of(doubled.outputs[0])
        if prod(two) != 2 * prod(one):
            what = f"it makes {list(one)} of one image, and {list(two)} of two"
            raise ModelError(what, where=describe(node), hint=hint)
    if [shape_of(each.graph.outputs[0])[:1] for each in (model, twice)] != [(1,), (2,)]:
        one = shape_of(model.graph.outputs[0])
        raise ModelError(f"its output {list(one)} is no row for each image", where=str(model.graph.name), hint=hint)
