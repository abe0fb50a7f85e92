"""What still runs in float, or outside the fast kernels, once a runtime has optimized an int8 artifact."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from edgegap.graph.nodes import module_path
from edgegap.run import Result

_BOUNDARY = {"QuantizeLinear", "DequantizeLinear"}
_MOVES = {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"}


@dataclass(frozen=True)
class SlowOp:
    """An op that a runtime does not compute with its int8 kernels.

    Args:
        node: its name, or its index in the file.
        op: its type.
        module: the path of the torch module that it came from, or ''.
        why: which runtime, and what it does instead.
    """

    node: str
    op: str
    module: str
    why: str


def onnxruntime_float_ops(optimized: bytes, artifact: ir.Model) -> list[SlowOp]:
    """The nodes of ONNX Runtime's optimized graph that compute in float.

    Args:
        optimized: the optimized model, serialized.
        artifact: the model before, whose nodes carry module paths.
    """
    import onnx  # noqa: PLC0415  # slow to import

    graph = onnx.load_from_string(optimized).graph
    floats = {value.name for value in graph.input if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    floats |= {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    modules = {node.name: module_path(node) for node in artifact.graph}
    found = []
    for node in graph.node:  # in topological order; the type of an output follows the first input
        quantizes = node.op_type.startswith(("QuantizeLinear", "QLinear", "QGemm"))
        real = node.op_type == "DequantizeLinear" or (not quantizes and node.input[0] in floats)
        if real:
            floats.update(node.output)
        if real and node.op_type not in _BOUNDARY | _MOVES:
            why = "ONNX Runtime computes it in float"
            found.append(SlowOp(node.name, node.op_type, modules.get(node.name, ""), why))
    return found


def litert_undelegated_ops(result: Result) -> list[SlowOp]:
    """The ops of a TFLite artifact that XNNPACK did not take when `result` was computed."""
    why = "XNNPACK does not take it: LiteRT's built-in kernel computes it, in int8"
    return [SlowOp(f"op {op['index']}", str(op["op_name"]), "", why) for op in result.undelegated]
