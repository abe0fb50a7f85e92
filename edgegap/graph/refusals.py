"""Every node that a step refuses, and not only the first: each is cut out, and the step goes on with the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir
from onnx_ir.passes.common import NameFixPass

from edgegap.errors import ModelError, UnsupportedOpError
from edgegap.graph.nodes import describe, graph_of, module_path, unique_name
from edgegap.graph.source_line import source_line

Step = Callable[[ir.Model], object]


@dataclass(frozen=True)
class Refusal:
    """A node that cannot be handled.

    Args:
        node: its name.
        op: its type.
        module: the path of the torch module that it came from, or ''.
        source: the line of the user's model that it came from, or ''.
        why: what it is refused for.
        hint: what to do.
    """

    node: str
    op: str
    module: str
    source: str
    why: str
    hint: str

    @classmethod
    def of(cls, error: ModelError, node: ir.Node | None) -> Refusal:
        """What an error says; `node` is the one it names, where that is known."""
        if node is None:
            return cls(error.where or "", "", "", error.source or "", error.what, error.hint or "")
        source = source_line(node) or ""
        return cls(str(node.name), node.op_type, module_path(node), source, error.what, error.hint or "")


def refusals(model: ir.Model, step: Step) -> tuple[list[Refusal], bool]:
    """What `step` refuses in `model`, in place: each such node is cut out; and whether all others were looked at.

    Args:
        model: with shapes inferred.
        step: works on a model in place or reads it, and raises UnsupportedOpError at the first node that it refuses; it
            must bear a graph of several inputs and outputs, which the cuts leave.
    """
    NameFixPass()(model)  # errors call a node by its name
    found: list[Refusal] = []
    while True:
        try:
            step(model)
        except UnsupportedOpError as error:
            node = find_node(model, error)
            found.append(Refusal.of(error, node))
            if node is None or not _cut(node):
                return found, False
        except ModelError:
            if not found:
                raise
            return found, False  # a cut may leave what is no network any more
        else:
            return found, True


def find_node(model: ir.Model, error: ModelError) -> ir.Node | None:
    """The node that an error names."""
    return next((node for node in model.graph if describe(node) == error.where), None)


def _cut(node: ir.Node) -> bool:
    """Make what a node reads outputs of the graph, and what it computes inputs; False where its outputs have no shape,
    so that nothing behind it could be looked at.
    """
    graph = graph_of(node)
    used = [value for value in node.outputs if value.uses() or value.is_graph_output()]
    if any(value.shape is None or not value.shape.is_static() for value in used):
        return False
    for value in used:
        name = unique_name(graph, f"{value.name}_behind")
        stand_in = ir.val(name, dtype=value.dtype, shape=value.shape)
        graph.inputs.append(stand_in)
        value.replace_all_uses_with(stand_in, replace_graph_outputs=True)
    for read in node.inputs:
        if read is not None and read.producer() is not None and not read.is_graph_output():
            graph.outputs.append(read)
    graph.remove(node, safe=True)
    return True
