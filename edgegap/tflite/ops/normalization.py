"""LayerNormalization: among integers the formulas of `edgegap.graph.integer_norm`, step for step."""

from __future__ import annotations

from math import prod

import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.integer_norm import BLOCKED_DOMAIN, ITERATIONS, START
from edgegap.graph.nodes import attribute
from edgegap.tflite.steps import Steps
from edgegap.tflite.writer import Writer

_Op = schema.BuiltinOperator


def layer_normalization(node: ir.Node, w: Writer) -> None:
    """SUM, ROUND and float arithmetic between DEQUANTIZE and QUANTIZE; in float, MEAN and RSQRT."""
    if w.result(node) is node.outputs[0]:
        _normalize_real(Steps(node, w))
    elif node.domain == BLOCKED_DOMAIN:
        blocks = _Blocks(node, w)
        _normalize_integers(blocks)
        blocks.join()
    else:
        _normalize_integers(Steps(node, w))


class _Blocks(Steps):
    """Steps on tensors [P, A, B, Q]: A blocks of B channels between all axes before and all behind."""

    def __init__(self, node: ir.Node, w: Writer) -> None:
        super().__init__(node, w)
        axis = self._place(-1)
        before, behind = self._shape[:axis], self._shape[axis + 1 :]
        self._shape = (prod(before), *attribute(node, "split")[-2:], prod(behind))
        self._whole = self.y
        self.x = w.reshape(self.x, self._shape, self._name())
        self.y = w.builder.like(self.y, self._name(), self._shape)

    def sum(self, tensor: int) -> int:
        """In each block, and then over the blocks."""
        return self._sum_of_blocks(tensor, 1, 2)

    def join(self) -> None:
        """RESHAPE into what `node` gives."""
        self._w.reshape(self.y, self._w.builder.shape(self._whole), self._name(), self._whole)


def _normalize_real(steps: Steps) -> None:
    centred = steps.do(_Op.SUB, steps.x, steps.mean(steps.x))
    variance = steps.mean(steps.do(_Op.MUL, centred, centred))
    epsilon = steps.constant(attribute(steps.node, "epsilon"))
    steps.do(_Op.MUL, centred, steps.do(_Op.RSQRT, steps.do(_Op.ADD, variance, epsilon)), into=steps.y)


def _normalize_integers(steps: Steps) -> None:
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
    d = steps.root(v, steps.do(_Op.MUL, channels, steps.constant(START)), ITERATIONS)
    factor = steps.do(_Op.DIV, channels, steps.do(_Op.MUL, d, result_step))
    centred = steps.do(_Op.SUB, c, steps.do(_Op.DIV, total, channels))
    r = steps.do(_Op.ROUND, steps.do(_Op.MUL, centred, factor))
    steps.do(_Op.QUANTIZE, steps.do(_Op.MUL, r, result_step), into=steps.y)
