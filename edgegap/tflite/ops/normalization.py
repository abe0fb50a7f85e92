"""LayerNormalization: among integers the formulas of `edgegap.graph.integer_norm`, step for step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.integer_norm import ITERATIONS, START
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

    def over_channels(self, builtin: int, tensor: int) -> int:
        """SUM or MEAN over the channels, which are kept as an axis of 1."""
        options = schema.ReducerOptionsT()
        options.keepDims = True
        shape = tuple(1 if k == self._axis else size for k, size in enumerate(self._shape))
        return self._put(builtin, [tensor, self._w.indices(self._name(), [self._axis])], shape, None, options)

    def _put(
        self, builtin: int, inputs: Sequence[int], shape: tuple[int, ...], into: int | None, options: object
    ) -> int:
        into = self._w.builder.tensor(self._name(), shape, np.float32, None) if into is None else into
        self._w.builder.operator(builtin, list(inputs), [into], options)
        return into

    def _name(self) -> str:
        self._count += 1
        return f"{self.node.outputs[0].name}_step{self._count}"


def _normalize_real(steps: _Steps) -> None:
    centred = steps.do(_Op.SUB, steps.x, steps.over_channels(_Op.MEAN, steps.x))
    variance = steps.over_channels(_Op.MEAN, steps.do(_Op.MUL, centred, centred))
    epsilon = steps.constant(attribute(steps.node, "epsilon"))
    steps.do(_Op.MUL, centred, steps.do(_Op.RSQRT, steps.do(_Op.ADD, variance, epsilon)), into=steps.y)


def _normalize_integers(steps: _Steps) -> None:
    channels, offset, step, result_step = (
        steps.constant(attribute(steps.node, name)) for name in ("channels", "offset", "step", "result_step")
    )
    n = steps.do(_Op.ROUND, steps.do(_Op.DIV, steps.do(_Op.DEQUANTIZE, steps.x), step))
    m = steps.do(_Op.ROUND, steps.do(_Op.DIV, steps.over_channels(_Op.SUM, n), channels))
    c = steps.do(_Op.SUB, n, m)
    total = steps.over_channels(_Op.SUM, c)
    squares = steps.over_channels(_Op.SUM, steps.do(_Op.MUL, c, c))
    spread = steps.do(_Op.SUB, steps.do(_Op.MUL, squares, channels), steps.do(_Op.MUL, total, total))
    v = steps.do(_Op.ADD, spread, offset)
    half, d = steps.constant(0.5), steps.do(_Op.MUL, channels, steps.constant(START))
    for _ in range(ITERATIONS):
        d = steps.do(_Op.MUL, steps.do(_Op.ADD, d, steps.do(_Op.DIV, v, d)), half)
    factor = steps.do(_Op.DIV, channels, steps.do(_Op.MUL, d, result_step))
    centred = steps.do(_Op.SUB, c, steps.do(_Op.DIV, total, channels))
    r = steps.do(_Op.ROUND, steps.do(_Op.MUL, centred, factor))
    steps.do(_Op.QUANTIZE, steps.do(_Op.MUL, r, result_step), into=steps.y)
