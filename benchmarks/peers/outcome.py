"""What an int8 file answers in EdgeGAP's own runner: .onnx with ONNX Runtime's exact kernels, .tflite in LiteRT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray
from onnxscript import optimizer

from edgegap.check.float_ops import onnxruntime_float_ops
from edgegap.check.images import ImageSet
from edgegap.check.predict import Prediction, predict
from edgegap.graph.nodes import add_initializer, constant
from edgegap.progress import silent
from edgegap.quantize.parameters import SIGNED, Grid

_ANY = 2**40
"""Bytes: a limit that is none."""
_LAYERS = {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"}
_BUILTINS = {
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a file did.

    Attributes:
        predictions: int64 [n], the class of the largest output; the lower index where two are equal.
        float_layers: how many convolutions and matrix products the runtime computes in float.
    """

    predictions: NDArray[np.int64]
    float_layers: int


def outcome(file: Path, images: ImageSet) -> Outcome:
    """Run a file over images.

    Raises:
        EdgeGapError: the runtime refuses the file, or dies of it.
    """
    if file.suffix == ".onnx":
        file = _with_constant_weights(file)
        (result,) = predict([Prediction(file, images, optimized=True)], silent)
        slow = onnxruntime_float_ops(result.optimized or b"", ir.load(file))
        float_layers = sum(op.op in _LAYERS for op in slow)
    else:
        model = schema.Model.GetRootAs(file.read_bytes(), 0)
        (result,) = predict([Prediction(file, images, _input_grid(model))], silent)
        float_layers = _float_layers(model)
    return Outcome(result.outputs.reshape(len(images), -1).argmax(axis=1), float_layers)


def _with_constant_weights(file: Path) -> Path:
    """PT2E's file quantizes its weights in the graph, and they share zero points: with its exact kernels ONNX Runtime
    refuses to load that. The same integers as constants, each with a zero point of its own, in a file beside it.
    """
    model = ir.load(file)
    if all(constant(node.inputs[0]) is None for node in model.graph if node.op_type == "QuantizeLinear"):
        return file
    optimizer.fold_constants(
        model,
        input_size_limit=_ANY,
        output_size_limit=_ANY,
        should_fold=lambda node: node.op_type in ("QuantizeLinear", "Clip"),
    )
    optimizer.remove_unused_nodes(model)
    for node in model.graph:
        zero_point = constant(node.inputs[2]) if node.op_type == "DequantizeLinear" else None
        if zero_point is not None:
            node.replace_input_with(2, add_initializer(model.graph, f"{node.outputs[0].name}_zero_point", zero_point))
    adapted = file.with_name(f"{file.stem}_constant_weights.onnx")
    ir.save(model, adapted)
    return adapted


def _input_grid(model: schema.Model) -> Grid | None:
    """The grid of the integers that a TFLite file takes; None for floats. No peer's ONNX takes integers."""
    graph = model.Subgraphs(0)
    tensor = graph.Tensors(graph.Inputs(0))
    if tensor.Type() != schema.TensorType.INT8:
        return None
    quantization = tensor.Quantization()
    return Grid(float(quantization.Scale(0)), int(quantization.ZeroPoint(0)) + SIGNED)


def _float_layers(model: schema.Model) -> int:
    """Layers of a TFLite file whose input is float."""
    graph = model.Subgraphs(0)
    operators = [graph.Operators(k) for k in range(graph.OperatorsLength())]
    layers = [op for op in operators if model.OperatorCodes(op.OpcodeIndex()).BuiltinCode() in _BUILTINS]
    return sum(graph.Tensors(layer.Inputs(0)).Type() == schema.TensorType.FLOAT32 for layer in layers)
