"""Small models as ONNX text, and what every pass promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx_ir.passes.common import RemoveUnusedNodesPass

from edgegap.graph.nodes import module_path
from edgegap.graph.shapes import infer_shapes

Array = NDArray[Any]

IMAGES = "float[2,4,6,6]"


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def parsed(
    body: str, *, x: str = IMAGES, y: str = "float[]", opset: int = 18, domains: str = "", **constants: Array
) -> ir.Model:
    """The model from input `x` to output `y` with this body; the node that makes `v` comes from the module 'at.v'."""
    header = f'<ir_version: 8, opset_import: ["": {opset}{domains}]> network'
    proto = onnx.parser.parse_model(f"{header} ({x} x) => ({y} y) {{ {body} }}")
    proto.graph.initializer.extend(numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items())
    if y == "float[]":
        proto.graph.output[0].type.tensor_type.ClearField("shape")
    for node in proto.graph.node:
        node.name = f"make_{node.output[0]}"
        node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=f"['', 'at.{node.output[0]}', 'node']")
    return ir.from_proto(proto)


def ready(body: str, **more: Any) -> ir.Model:
    """`parsed`, with every shape known, as passes find it."""
    model = parsed(body, **more)
    infer_shapes(model)
    return model


def ops(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def only(model: ir.Model, op_type: str) -> ir.Node:
    (node,) = [node for node in model.graph if node.op_type == op_type]
    return node


def input_shape(model: ir.Model) -> tuple[int, ...]:
    return tuple(int(d) for d in model.graph.inputs[0].shape)


def run(model: ir.Model, x: Array) -> Array:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(ir.to_proto(model).SerializeToString(), options)
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


def assert_close(ours: Array, theirs: Array) -> None:
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(theirs).max(initial=0))))


def passed(step: Callable[[ir.Model], bool], model: ir.Model, *, changes: bool = True) -> ir.Model:
    """`model` after the pass, which keeps outputs, names and module paths, and has nothing to do a second time."""
    x = normal(*input_shape(model), seed=1)
    expected, names = run(model, x), interface(model)
    before = ir.to_proto(model).SerializeToString(deterministic=True)
    assert step(model) is changes
    if not changes:
        assert ir.to_proto(model).SerializeToString(deterministic=True) == before
    RemoveUnusedNodesPass()(model)
    infer_shapes(model)
    assert_close(run(model, x), expected)
    assert interface(model) == names
    assert all(module_path(node).startswith("at.") for node in model.graph)
    assert step(model) is False, "a second run changes something"
    return model


def interface(model: ir.Model) -> list[str | None]:
    return [value.name for value in (*model.graph.inputs, *model.graph.outputs)]
