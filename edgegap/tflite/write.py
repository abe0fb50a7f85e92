"""From an ONNX model to the bytes of a TFLite file."""

from __future__ import annotations

import onnx_ir as ir

from edgegap.graph.integer_norm import BLOCKED_DOMAIN
from edgegap.graph.nodes import DOMAIN, unsupported
from edgegap.tflite.ops import SPELLINGS
from edgegap.tflite.writer import Writer


def write_tflite(model: ir.Model, *, description: str = "written by EdgeGAP") -> bytes:
    """Spell `model` in TFLite, op by op; parameters and arithmetic stay what they are.

    Args:
        model: opset 18, every shape static: float in canonical form, or quantized in normal form (QDQ). Not changed.
        description: what the file says about itself.

    Returns:
        The file. Inputs and outputs bear the model's names; those of rank 4 are NHWC. uint8 values become int8, 128
        lower. A tensor has the name of the ONNX value that it holds, unless it holds it in an order of its own.

    Raises:
        UnsupportedOpError: a node has no spelling.
        ModelError: a shape is not static, or the file would exceed 2 GiB.
    """
    graph = model.graph
    for node in graph:
        if node.domain not in ("", DOMAIN, BLOCKED_DOMAIN) or node.op_type not in SPELLINGS:
            op = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
            raise unsupported(
                node,
                f"EdgeGAP has no TFLite spelling for {op}",
                "'edgegap ops' shows what can be written; replace the op, or export with --format onnx only.",
            )
    writer = Writer(graph)
    inputs = [writer.define(value) for value in graph.inputs if not value.is_initializer()]
    for node in graph:
        if not writer.is_spelled(node):
            SPELLINGS[node.op_type](node, writer)
    outputs = [writer.output(value) for value in graph.outputs]
    return writer.builder.finish(inputs, outputs, description)
