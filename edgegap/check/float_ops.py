"""What still runs in float, or outside the fast kernels, once a runtime has optimized an int8 artifact."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from edgegap.graph.nodes import module_path, sole_consumer
from edgegap.run import Result

_BOUNDARY = {"QuantizeLinear", "DequantizeLinear"}
_INLINED = re.compile(r"_inlfunc_(?P<op>\w+?)_(token_(?P<token>\d+)_)?node")
"""The first call of each function has no token; the others are counted, those of all functions together."""

_MOVES = {"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "ReorderInput", "ReorderOutput"}


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
    known = _names(artifact)
    calls = [node for node in artifact.graph if node.domain]
    found: dict[str, SlowOp] = {}
    for node in graph.node:  # in topological order; the type of an output follows the first input
        quantizes = node.op_type.startswith(("QuantizeLinear", "QLinear", "QGemm"))
        real = node.op_type == "DequantizeLinear" or (not quantizes and node.input[0] in floats)
        if real:
            floats.update(node.output)
        if real and node.op_type not in _BOUNDARY | _MOVES:
            original = known.get(node.name) or _called(node.name, calls)
            name = node.name if original is None else str(original.name)
            module = "" if original is None else module_path(original)
            op_type = original.op_type if original is not None and original.domain else node.op_type
            found.setdefault(name or node.output[0], SlowOp(name, op_type, module, "ONNX Runtime computes it in float"))
    return list(found.values())


def _called(name: str, calls: Sequence[ir.Node]) -> ir.Node | None:
    """The call of a function whose body a node comes from, by the name that ONNX Runtime gives it."""
    inlined = _INLINED.match(name)
    if inlined is None:
        return None
    first: dict[str, ir.Node] = {}
    others = [call for call in calls if first.setdefault(call.op_type, call) is not call]
    if inlined["token"] is None:
        return first.get(inlined["op"])
    index = int(inlined["token"])
    return others[index] if index < len(others) else None


def _names(artifact: ir.Model) -> dict[str, ir.Node]:
    """The nodes of a file by their names, and by those that ONNX Runtime gives them once it fused an activation into
    them or changed their layout.
    """
    known: dict[str, ir.Node] = {}
    for node in artifact.graph:
        follower = sole_consumer(node.outputs[0])
        fused = follower if follower is not None and follower.op_type in ("Relu", "Clip") else node
        outputs = node.outputs[0].name, fused.outputs[0].name
        for name in (node.name, f"fused {node.name}", *(f"{output}_nchwc" for output in outputs)):
            known.setdefault(str(name), node)
    return known


def litert_undelegated_ops(result: Result) -> list[SlowOp]:
    """The ops of a TFLite artifact that XNNPACK did not take when `result` was computed."""
    why = "XNNPACK does not take it: LiteRT's built-in kernel computes it, in int8"
    return [SlowOp(f"op {op['index']}", str(op["op_name"]), "", why) for op in result.undelegated]
