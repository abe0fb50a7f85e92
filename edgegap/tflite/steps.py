"""Ops that TFLite lacks, in steps: float operators on the value that a node reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.integer_sums import RADIX
from edgegap.tflite.writer import Writer

_Op = schema.BuiltinOperator
_OPTIONS = {
    _Op.ABS: schema.AbsOptionsT,
    _Op.ADD: schema.AddOptionsT,
    _Op.DIV: schema.DivOptionsT,
    _Op.MAXIMUM: schema.MaximumMinimumOptionsT,
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
        self._axes = w.layouts.axes[x]
        self._shape = w.builder.shape(self.y)

    def constant(self, value: float) -> int:
        """A tensor of one number."""
        return self._w.builder.constant(self._name(), np.full((1,) * len(self._shape), value, np.float32))

    def do(self, builtin: int, *inputs: int, into: int | None = None) -> int:
        """An operator of one value, or of two that broadcast.

        Args:
            builtin: a `schema.BuiltinOperator`.
            inputs: its tensors.
            into: the tensor that it writes; None for a new one.
        """
        shape = np.broadcast_shapes(*(self._w.builder.shape(tensor) for tensor in inputs))
        options = _OPTIONS[builtin]() if builtin in _OPTIONS else None
        return self._put(builtin, inputs, shape, into, options)

    def mean(self, tensor: int) -> int:
        """MEAN over the last axis of the value, which is kept as one of 1."""
        return self._over(_Op.MEAN, tensor, self._place(-1))

    def sum(self, tensor: int) -> int:
        """SUM over the last axis of the value, likewise."""
        return self._over(_Op.SUM, tensor, self._place(-1))

    def sum_of_map(self, tensor: int) -> int:
        """SUM over the last two axes of the value, likewise."""
        return self._over(_Op.SUM, tensor, self._place(-2), self._place(-1))

    def sum_of_rows(self, tensor: int) -> int:
        """The same of integers, exact: over the last axis first (`edgegap.graph.integer_sums`)."""
        return self._sum_of_blocks(tensor, self._place(-2), self._place(-1))

    def root(self, v: int, d: int, iterations: int) -> int:
        """The root of `v` by so many of Heron's steps, from `d` on."""
        half = self.constant(0.5)
        for _ in range(iterations):
            d = self.do(_Op.MUL, self.do(_Op.ADD, d, self.do(_Op.DIV, v, d)), half)
        return d

    def _place(self, axis: int) -> int:
        """Where an axis of the value, counted from its end, is in the tensor."""
        return self._axes.index(len(self._axes) + axis)

    def _sum_of_blocks(self, tensor: int, across: int, along: int) -> int:
        radix, u = self.constant(RADIX), self._over(_Op.SUM, tensor, along)
        h = self.do(_Op.FLOOR, self.do(_Op.DIV, u, radix))
        low = self.do(_Op.SUB, u, self.do(_Op.MUL, h, radix))
        high = self.do(_Op.MUL, self._over(_Op.SUM, h, across), radix)
        return self.do(_Op.ADD, high, self._over(_Op.SUM, low, across))

    def _over(self, builtin: int, tensor: int, *axes: int) -> int:
        options = schema.ReducerOptionsT()
        options.keepDims = True
        shape = tuple(1 if k in axes else size for k, size in enumerate(self._w.builder.shape(tensor)))
        return self._put(builtin, [tensor, self._w.indices(self._name(), axes)], shape, None, options)

    def _put(
        self, builtin: int, inputs: Sequence[int], shape: tuple[int, ...], into: int | None, options: object
    ) -> int:
        into = self._w.builder.tensor(self._name(), shape, np.float32, None) if into is None else into
        self._w.builder.operator(builtin, list(inputs), [into], options)
        return into

    def _name(self) -> str:
        self._count += 1
        return f"{self.node.outputs[0].name}_step{self._count}"
