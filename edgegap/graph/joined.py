"""Networks of several inputs: one input that holds the channels of all of them, in their order.

Data, files and devices know one input. Inputs of one height and width, such as a photo and its depth, are as well one
input of more channels, of which each Slice is what the network took.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from edgegap.errors import InputError, ModelError
from edgegap.graph.nodes import add_initializer, new_node, unique_name

if TYPE_CHECKING:
    import torch

_HINT = "Inputs of one height and width can become one: else let the network take one input, and take it apart inside."

_ONCE = "Give --input-shape once for each, in that order: they become one input, of all their channels."


def join_inputs(model: ir.Model, where: str) -> str | None:
    """Give a model of several inputs one, in place; a sentence that says so, if there were several.

    Args:
        model: opset 13 or later, of inputs only that are no initializers.
        where: what to call it in messages.

    Raises:
        ModelError: it has no input, is quantized, or has inputs that differ in more than their channels.
    """
    inputs = list(model.graph.inputs)
    if len(inputs) == 1:
        return None
    names = [str(value.name) for value in inputs]
    named = f"has {len(inputs) or 'no'} inputs" + (f" ({', '.join(names)})" if names else "")
    shapes = [[] if value.shape is None else list(value.shape) for value in inputs]
    channels = [shape[1] for shape in shapes if len(shape) in (3, 4) and isinstance(shape[1], int)]
    rest = {str([*shape[:1], *shape[2:]]) for shape in shapes}
    if len(channels) != len(inputs) or len(rest) != 1 or {value.dtype for value in inputs} != {ir.DataType.FLOAT}:
        raise ModelError(named, where=where, hint=_HINT)
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph):
        raise ModelError(f"{named}, and is quantized", where=where, hint="Give the float network.")
    n, _, *sizes = shapes[0]
    first = next(iter(model.graph))
    joined = ir.val(
        unique_name(model.graph, "joined"), dtype=ir.DataType.FLOAT, shape=ir.Shape([n, sum(channels), *sizes])
    )
    model.graph.inputs[:] = [joined]
    for value, name, end, count in zip(inputs, names, accumulate(channels), channels, strict=True):
        window = [add_initializer(model.graph, f"{name}_window", np.array([k])) for k in (end - count, end, 1)]
        part = new_node(first, "Slice", [joined, *window], name=f"{name}_part").outputs[0]
        part.shape = value.shape
        value.replace_all_uses_with(part, replace_graph_outputs=True)
    return _said(names, channels)


def join_arguments(network: torch.nn.Module, channels: Sequence[int], names: Sequence[str], spec: str) -> str:
    """Let a torch module of several arguments take one, in place; a sentence that says so.

    Args:
        network: takes as many tensors as there are `channels`.
        channels: of each of them.
        names: of its arguments.
        spec: what to call it in messages.

    Raises:
        ModelError: their channels are not known, or are of another number of inputs.
    """
    if len(channels) != len(names):
        inputs, hint = "1 input", "Give --input-shape once."
        if len(names) > 1:
            inputs, hint = f"{len(names)} inputs", _ONCE
        raise ModelError(f"has {inputs} ({', '.join(names)})", where=spec, hint=hint)
    forward = network.forward
    network.forward = lambda joined: forward(*joined.split(list(channels), 1))
    return _said(names, channels)


def joined_shape(shapes: Sequence[tuple[int, int, int]]) -> tuple[int, int, int]:
    """C, H, W of one input for all of `shapes`.

    Raises:
        InputError: they differ in height or width.
    """
    sizes = {shape[1:] for shape in shapes}
    if len(sizes) > 1:
        raise InputError("the inputs of --input-shape differ in height or width", hint=_HINT)
    height, width = sizes.pop()
    return sum(c for c, *_ in shapes), height, width


def _said(names: Sequence[str], channels: Sequence[int]) -> str:
    parts = ", ".join(f"{name} ({count})" for name, count in zip(names, channels, strict=True))
    return (
        f"the network has {len(names)} inputs: the files take one of {sum(channels)} channels, which are in this order "
        f"those of {parts}"
    )
