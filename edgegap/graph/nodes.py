"""Small helpers over onnx_ir that the passes share: read a node, make one, put one in another's place."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import ModelError, UnsupportedOpError
from edgegap.graph.source_line import inherit_source_line, note_source_line, source_line

OPSET = 18
"""The opset of the ONNX files that EdgeGAP writes."""

GELU_OPSET = 20
"""That of a file with a Gelu, which older opsets lack."""

DOMAIN = "edgegap"
"""Of ONNX functions, so that the normal form has one node where the network has one."""

IR_VERSION = 8
"""The IR version that came with `OPSET`; nothing of a later one is needed."""

_SCOPES = "pkg.torch.onnx.name_scopes"


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """The value of an attribute (sequences as lists), or `default` where the node does not carry it."""
    if name not in node.attributes:
        return default
    value = node.attributes[name].value
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def constant(value: ir.Value | None) -> NDArray[Any] | None:
    """The array of an initializer, or None where the value is not one."""
    if value is None or not value.is_initializer() or value.const_value is None:
        return None
    return value.const_value.numpy()


def required_constant(node: ir.Node, index: int, what: str) -> NDArray[Any]:
    """The array behind input `index`; a value computed at run time raises UnsupportedOpError."""
    array = constant(node.inputs[index])
    if array is None:
        raise unsupported(node, f"its {what} is computed at run time", "Export the network with constant parameters.")
    return array


def operand(node: ir.Node, index: int = 0) -> ir.Value:
    """Input `index` of a node that must have it."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        raise ModelError(f"{node.op_type} lacks its input {index}", where=describe(node))
    return value


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The static shape of `value`; a dynamic or unknown one raises ModelError."""
    if value.shape is None or not all(isinstance(d, int) for d in value.shape):
        raise ModelError(
            f"the shape of '{value.name}' is {value.shape}, not static",
            hint="Bind the input's height and width with --input-shape C,H,W.",
        )
    return tuple(int(d) for d in value.shape)  # type: ignore[arg-type]  # checked above: every dimension is an int


def reduced_axes(node: ir.Node) -> set[int]:
    """The axes that a Reduce node reduces, not negative; none where it does not name them, or computes them."""
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 else attribute(node, "axes")
    return set() if axes is None else {int(axis) % len(shape_of(operand(node))) for axis in axes}


def sole_consumer(value: ir.Value) -> ir.Node | None:
    """The one node that reads `value`, or None where it has several readers or is a graph output."""
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


def module_path(node: ir.Node) -> str:
    """The path of the torch module that a node came from ('features.3.conv'), or '' where it is unknown."""
    try:
        scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "[]"))
    except (SyntaxError, ValueError):
        return ""
    return str(scopes[-2]) if isinstance(scopes, list) and len(scopes) > 1 else ""


def keep_module_paths(model: ir.Model) -> None:
    """Drop what else an exporter notes: stack traces name the user's folders and double the size of a small file. Only
    their source line stays, in memory.
    """
    for node in model.graph:
        note_source_line(node)
        scopes = node.metadata_props.get(_SCOPES)
        node.metadata_props.clear()
        node.doc_string = None
        if scopes is not None:
            node.metadata_props[_SCOPES] = scopes
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()


def describe(node: ir.Node) -> str:
    """How error messages name a node: op, name and module path."""
    path = module_path(node)
    return f"{node.op_type} node '{node.name}'" + (f" (module {path})" if path else "")


def unsupported(node: ir.Node, why: str, hint: str) -> UnsupportedOpError:
    """The error for a node that EdgeGAP cannot handle."""
    what = f"cannot handle this node: {why}"
    return UnsupportedOpError(what, where=describe(node), source=source_line(node), hint=hint)


def refuse_between_quantizers(node: ir.Node) -> None:
    """Raise UnsupportedOpError for a node of a QDQ model: its Conv would have weights that the file does not state."""
    maker = operand(node).producer()
    if maker is not None and maker.op_type == "DequantizeLinear":
        raise unsupported(node, "this quantized file has no int8 form of it that is exact", "Export the float network.")


def unique_name(graph: ir.Graph, name: str) -> str:
    """`name`, or `name_1`, `name_2` ... where a value of that name exists."""
    taken = {value.name for value in graph.inputs} | set(graph.initializers)
    taken.update(output.name for node in graph for output in node.outputs)
    candidate, k = name, 0
    while candidate in taken:
        k += 1
        candidate = f"{name}_{k}"
    return candidate


def add_initializer(graph: ir.Graph, name: str, array: NDArray[Any]) -> ir.Value:
    """A new initializer of `graph` under a unique name."""
    name = unique_name(graph, name)
    tensor = ir.tensor(np.asarray(array, order="C"), name=name)
    value = ir.val(name, dtype=tensor.dtype, shape=ir.Shape(array.shape), const_value=tensor)
    graph.register_initializer(value)
    return value


def new_node(
    like: ir.Node,
    op_type: str,
    inputs: Sequence[ir.Value | None],
    attributes: Mapping[str, Any] | None = None,
    *,
    name: str,
    shape: Sequence[int] | None = None,
) -> ir.Node:
    """A node with one float output called `name`, put in front of `like`, whose module and source line it inherits."""
    graph = graph_of(like)
    name = unique_name(graph, name)
    output = ir.val(name, dtype=ir.DataType.FLOAT, shape=None if shape is None else ir.Shape(shape))
    node = ir.node(op_type, inputs, attributes=dict(attributes or {}), name=f"{name}_node", outputs=[output])
    node.metadata_props.update(like.metadata_props)
    inherit_source_line(node, like)
    graph.insert_before(like, node)
    return node


def reshaped(like: ir.Node, x: ir.Value, shape: Sequence[int], *, name: str) -> ir.Value:
    """`x` behind a Reshape to `shape`, put in front of `like`; a batch that stays in front is copied, not written."""
    batch = 0 if shape[0] == shape_of(x)[0] else shape[0]
    sizes = add_initializer(graph_of(like), f"{name}_shape", np.array([batch, *shape[1:]], np.int64))
    return new_node(like, "Reshape", [x, sizes], name=name, shape=shape).outputs[0]


def replace(node: ir.Node, value: ir.Value) -> None:
    """Let every reader of `node`'s output read the existing `value` instead, and remove `node`.

    A graph output keeps its name.
    """
    if node.outputs[0].is_graph_output() and not value.is_graph_input():
        take_over(node, value)
    else:
        node.outputs[0].replace_all_uses_with(value, replace_graph_outputs=True)
        graph_of(node).remove(node, safe=True)


def take_over(node: ir.Node, value: ir.Value) -> None:
    """Like `replace`, for a `value` that is new: it takes the name of `node`'s output too."""
    old, name = node.outputs[0], node.outputs[0].name
    old.replace_all_uses_with(value, replace_graph_outputs=True)
    graph_of(node).remove(node, safe=True)
    old.name = None
    value.name = name


def graph_of(node: ir.Node) -> ir.Graph:
    """The graph that `node` stands in."""
    if not isinstance(node.graph, ir.Graph):
        raise ModelError("this node stands in a function, not in the graph", where=describe(node))
    return node.graph
