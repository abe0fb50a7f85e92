"""Ops that TFLite lacks, in steps: float operators on the value that a node reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.tflite.writer import Writer

_Op = schema.BuiltinOperator
_OPTIONS = {
    _Op.ABS: schema.AbsOptionsT,
    _Op.ADD: schema.AddOptionsT,
    _Op.DIV: schema.DivOptionsT,
    _Op.MUL: schema.MulOptionsT,
    _Op.SUB: schema.SubOptionsT,
}


class Steps:
    """Appends float operators, with all tensors in the layout of the one that the node reads.

    Attributes:
        node: what is spelled.
        x: the tensor that it reads.
        y: the tensor that it gives.
    """

    def __init__(self, node: ir.Node, w: Writer) -> None:
        (x, *_), self.node, self._w, self._count = w.operands(node), node, w, 0
        self.x, self.y = w.read(x), w.define(w.result(node))
        self._axis = w.layouts.axes[x].index(len(w.layouts.axes[x]) - 1)
        self._shape = w.builder.shape(self.x)

    def constant(self, value: float) -> int:
        """A tensor of one number."""
        return self._w.builder.constant(self._name(), np.full((1,) * len(self._shape), value, np.float32))

    def do(self, builtin: int, *inputs: int, into: int | None = None) -> int:
        """An operator of one value, or of two of which either may have a single channel.

        Args:
            builtin: a `schema.BuiltinOperator`.
            inputs: its tensors.
            into: the tensor that it writes; None for a new one.
        """
        shape = max((self._w.builder.shape(tensor) for tensor in inputs), key=np.prod)
        options = _OPTIONS[builtin]() if builtin in _OPTIONS else None
        return self._put(builtin, inputs, shape, into, options)

    def mean(self, tensor: int) -> int:
        """MEAN over the channels, which are kept as an axis of 1."""
        return self._over(_Op.MEAN, self._axis, tensor)

    def sum(self, tensor: int) -> int:
        """SUM over the channels, likewise."""
        return self._over(_Op.SUM, self._axis, tensor)

    def _over(self, builtin: int, axis: int, tensor: int) -> int:
        options = schema.ReducerOptionsT()
        options.keepDims = True
        shape = tuple(1 if k == axis else size for k, size in enumerate(self._w.builder.shape(tensor)))
        return self._put(builtin, [tensor, self._w.indices(self._name(), [axis])], shape, None, options)

    def _put(
        self, builtin: int, inputs: Sequence[int], shape: tuple[int, ...], into: int | None, options: object
    ) -> int:
        into = self._w.builder.tensor(self._name(), shape, np.float32, None) if into is None else into
        self._w.builder.operator(builtin, list(inputs), [into], options)
        return into

    def _name(self) -> str:
        self._count += 1
        return f"{self.node.outputs[0].name}_step{self._count}"
