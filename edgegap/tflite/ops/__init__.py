"""The table from ONNX op to the function that spells it: `spell(node, writer)` appends TFLite operators."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
from ai_edge_litert.schema_py_generated import BuiltinOperator

from edgegap.tflite.ops.boundary import dequantize, quantize
from edgegap.tflite.ops.composed import mish, softplus
from edgegap.tflite.ops.elementwise import add, clip, function, gelu, mul
from edgegap.tflite.ops.length import global_lp_pool
from edgegap.tflite.ops.linear import conv, gemm
from edgegap.tflite.ops.normalization import layer_normalization
from edgegap.tflite.ops.pad import pad
from edgegap.tflite.ops.pool import average_pool, global_average_pool, max_pool
from edgegap.tflite.ops.quotient import div
from edgegap.tflite.ops.shape import concat, reshape, resize, slice_, transpose
from edgegap.tflite.writer import Writer

SPELLINGS: dict[str, Callable[[ir.Node, Writer], None]] = {
    "Add": add,
    "AveragePool": average_pool,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "DequantizeLinear": dequantize,
    "Div": div,
    "Elu": function(BuiltinOperator.ELU),
    "Flatten": reshape,
    "Gelu": gelu,
    "Gemm": gemm,
    "GlobalAveragePool": global_average_pool,
    "GlobalLpPool": global_lp_pool,
    "HardSwish": function(BuiltinOperator.HARD_SWISH),
    "LayerNormalization": layer_normalization,
    "MaxPool": max_pool,
    "Mish": mish,
    "Mul": mul,
    "Pad": pad,
    "QuantizeLinear": quantize,
    "Relu": clip,
    "Reshape": reshape,
    "Resize": resize,
    "Sigmoid": function(BuiltinOperator.LOGISTIC),
    "Slice": slice_,
    "Softplus": softplus,
    "Tanh": function(BuiltinOperator.TANH),
    "Transpose": transpose,
}
