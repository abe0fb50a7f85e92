"""How much arithmetic a network is: its multiply-accumulates."""

from __future__ import annotations

from math import prod
from pathlib import Path

import onnx_ir as ir

from edgegap.errors import ModelError
from edgegap.graph.load import batch_of, static_input_shape
from edgegap.graph.nodes import shape_of
from edgegap.graph.shapes import bind_input, infer_shapes


def count_macs(path: Path) -> int:
    """Multiply-accumulates of one inference: those of Conv and Gemm, on real and on padding pixels alike.

    Args:
        path: of an .onnx file, float or quantized; a dynamic batch counts as 1.

    Raises:
        ModelError: the file cannot be read, or its shapes cannot be inferred.
    """
    try:
        model = ir.load(path)
    except Exception as error:  # protobuf and onnx_ir raise many kinds on a damaged file
        raise ModelError("is not an ONNX file, or is damaged", where=str(path)) from error
    if isinstance(batch_of(model), int):
        infer_shapes(model)
    elif shape := static_input_shape(model):
        bind_input(model, (1, *shape))
    return sum(macs_of(node) for node in model.graph)


def macs_of(node: ir.Node) -> int:
    """The multiply-accumulates of one node.

    Each output of a Conv sums over a kernel's [C/group, kh, kw], of a Gemm over the rows of its weight.
    """
    if node.op_type not in ("Conv", "Gemm"):
        return 0
    image, weight = node.inputs[:2]
    assert image is not None  # noqa: S101  (both are required inputs of both ops)
    assert weight is not None  # noqa: S101
    outputs = prod(shape_of(node.outputs[0]))
    if node.op_type == "Conv":
        return outputs * prod(shape_of(weight)[1:])
    transposed = node.attributes.get_int("transA", 0)
    return outputs * shape_of(image)[0 if transposed else 1]
