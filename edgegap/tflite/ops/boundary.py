"""QuantizeLinear and DequantizeLinear where real numbers meet integers; elsewhere they are part of an operator."""

from __future__ import annotations

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.nodes import operand
from edgegap.tflite.tensors import constant_of
from edgegap.tflite.writer import Writer


def quantize(node: ir.Node, w: Writer) -> None:
    """QUANTIZE, of a float value that no integer operator writes."""
    inputs, outputs = [w.read(operand(node))], [w.define(node.outputs[0])]
    w.builder.operator(schema.BuiltinOperator.QUANTIZE, inputs, outputs, schema.QuantizeOptionsT())


def dequantize(node: ir.Node, w: Writer) -> None:
    """DEQUANTIZE, where anyone reads the real numbers."""
    y = node.outputs[0]
    if constant_of(y) is None and w.is_read_in_float(y):
        inputs, outputs = [w.read(operand(node))], [w.define(y)]
        w.builder.operator(schema.BuiltinOperator.DEQUANTIZE, inputs, outputs, schema.DequantizeOptionsT())
