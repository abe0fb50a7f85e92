"""LayerNormalization: among integers the formulas of `edgegap.graph.integer_norm`, step for step."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.integer_norm import BLOCKED_DOMAIN, ITERATIONS, RADIX, START
from edgegap.graph.nodes import attribute
from edgegap.tflite.writer import Writer

_Op = schema.BuiltinOperator
_OPTIONS = {
    _Op.ADD: schema.AddOptionsT,
    _Op.DIV: schema.DivOptionsT,
    _Op.MUL: schema.MulOptionsT,
    _Op.SUB: schema.SubOptionsT,
}


def layer_normalization(node: ir.Node, w: Writer) -> None:
    """SUM, ROUND and float arithmetic between DEQUANTIZE and QUANTIZE; in float, MEAN and RSQRT."""
    if w.result(node) is node.outputs[0]:
        _normalize_real(_Steps(node, w))
    elif node.domain == BLOCKED_DOMAIN:
        blocks = _Blocks(node, w)
        _normalize_integers(blocks)
        blocks.join()
    else:
        _normalize_integers(_Steps(node, w))


class _Steps:
    """Appends float operators on the value that a node reads, with all tensors in that one's layout."""

    def __init__(self, node: ir.Node, w: Writer) -> None:
        (x, *_), self.node, self._w, self._count = w.operands(node), node, w, 0
        self.x, self.y = w.read(x), w.define(w.result(node))
        self._axis = w.layouts.axes[x].index(len(w.layouts.axes[x]) - 1)
        self._shape = w.builder.shape(self.x)

    def constant(self, value: float) -> int:
        """A tensor of one number."""
        return self._w.builder.constant(self._name(), np.full((1,) * len(self._shape), value, np.float32))

    def do(self, builtin: int, *inputs: int, into: int | None = None) -> int:
        """An operator of one value, or of two of which either may have a single channel."""
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


class _Blocks(_Steps):
    """The same on tensors [P, A, B, Q]: A blocks of B channels between all axes before and all behind."""

    def __init__(self, node: ir.Node, w: Writer) -> None:
        super().__init__(node, w)
        before, behind = self._shape[: self._axis], self._shape[self._axis + 1 :]
        self._shape = (prod(before), *attribute(node, "split")[-2:], prod(behind))
        self._whole = self.y
        self.x = w.reshape(self.x, self._shape, self._name())
        self.y = w.builder.like(self.y, self._name(), self._shape)

    def sum(self, tensor: int) -> int:
        """In each block, and then over the blocks."""
        radix, u = self.constant(RADIX), self._over(_Op.SUM, 2, tensor)
        h = self.do(_Op.FLOOR, self.do(_Op.DIV, u, radix))
        low = self.do(_Op.SUB, u, self.do(_Op.MUL, h, radix))
        return self.do(_Op.ADD, self.do(_Op.MUL, self._over(_Op.SUM, 1, h), radix), self._over(_Op.SUM, 1, low))

    def join(self) -> None:
        """RESHAPE into what `node` gives."""
        self._w.reshape(self.y, self._w.builder.shape(self._whole), self._name(), self._whole)


def _normalize_real(steps: _Steps) -> None:
    centred = steps.do(_Op.SUB, steps.x, steps.mean(steps.x))
    variance = steps.mean(steps.do(_Op.MUL, centred, centred))
    epsilon = steps.constant(attribute(steps.node, "epsilon"))
    steps.do(_Op.MUL, centred, steps.do(_Op.RSQRT, steps.do(_Op.ADD, variance, epsilon)), into=steps.y)


def _normalize_integers(steps: _Steps) -> None:
    channels, offset, step, result_step = (
        steps.constant(attribute(steps.node, name)) for name in ("channels", "offset", "step", "result_step")
    )
    n = steps.do(_Op.ROUND, steps.do(_Op.DIV, steps.do(_Op.DEQUANTIZE, steps.x), step))
    m = steps.do(_Op.ROUND, steps.do(_Op.DIV, steps.sum(n), channels))
    c = steps.do(_Op.SUB, n, m)
    total = steps.sum(c)
    squares = steps.sum(steps.do(_Op.MUL, c, c))
    spread = steps.do(_Op.SUB, steps.do(_Op.MUL, squares, channels), steps.do(_Op.MUL, total, total))
    v = steps.do(_Op.ADD, spread, offset)
    half, d = steps.constant(0.5), steps.do(_Op.MUL, channels, steps.constant(START))
    for _ in range(ITERATIONS):
        d = steps.do(_Op.MUL, steps.do(_Op.ADD, d, steps.do(_Op.DIV, v, d)), half)
    factor = steps.do(_Op.DIV, channels, steps.do(_Op.MUL, d, result_step))
    centred = steps.do(_Op.SUB, c, steps.do(_Op.DIV, total, channels))
    r = steps.do(_Op.ROUND, steps.do(_Op.MUL, centred, factor))
    steps.do(_Op.QUANTIZE, steps.do(_Op.MUL, r, result_step), into=steps.y)
