"""Run a canonical model in torch, node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from edgegap.evaluator.ops import OPERATIONS
from edgegap.graph.nodes import constant

if TYPE_CHECKING:
    import torch

Hook = Callable[[ir.Value, "torch.Tensor"], "torch.Tensor | None"]
"""Told every value that is computed, with its tensor; a tensor that it returns takes that one's place."""

Operands = Callable[[ir.Node, "list[torch.Tensor | None]"], "list[torch.Tensor | None]"]
"""Given a node and the tensors of its inputs; computes with those that it returns."""


class Evaluator:
    """A canonical float model, lowered or not, as a function of a batch of images.

    Args:
        model: only read.

    Attributes:
        constants: the tensor of every initializer, by name. Whoever puts another in its place (a rounded weight, a
            parameter that is trained) changes what the next call computes.
    """

    def __init__(self, model: ir.Model) -> None:
        import torch  # noqa: PLC0415  # slow to import; whoever evaluates has made sure that it is there

        self._graph = model.graph
        self.constants: dict[str, torch.Tensor] = {}
        for name, value in model.graph.initializers.items():
            array = constant(value)
            if array is not None:
                # a copy: arrays of a file that is mapped into memory cannot be written, and torch warns of that
                self.constants[str(name)] = torch.from_numpy(np.array(array))
        self._uses = Counter(str(value.name) for node in model.graph for value in node.inputs if value is not None)

    def __call__(
        self, images: torch.Tensor, hook: Hook | None = None, operands: Operands | None = None
    ) -> torch.Tensor:
        """The output for float32 images [n, C, H, W], of the graph output's shape with n in front.

        Args:
            images: a value like any other: it may require a gradient, and the hook is told it first.
            hook: told the input and every node's output, in the order of the graph.
            operands: chooses what every node computes with.
        """
        source, target = self._graph.inputs[0], self._graph.outputs[0]
        left = self._uses.copy()
        left[str(target.name)] += 1
        tensors = {str(source.name): _hooked(hook, source, images)}
        for node in self._graph:
            inputs = [None if value is None else self._tensor(value, tensors) for value in node.inputs]
            if operands is not None:
                inputs = operands(node, inputs)
            y = node.outputs[0]
            tensors[str(y.name)] = _hooked(hook, y, OPERATIONS[node.op_type](node, inputs))
            for value in node.inputs:  # without this, a forward pass would keep every activation
                if value is not None and str(value.name) in tensors:
                    left[str(value.name)] -= 1
                    if not left[str(value.name)]:
                        del tensors[str(value.name)]
        return tensors[str(target.name)]

    def _tensor(self, value: ir.Value, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        name = str(value.name)
        return tensors[name] if name in tensors else self.constants[name]


def _hooked(hook: Hook | None, value: ir.Value, tensor: torch.Tensor) -> torch.Tensor:
    replaced = None if hook is None else hook(value, tensor)
    return tensor if replaced is None else replaced
