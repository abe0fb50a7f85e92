"""Which values share one grid.

A class is a set of values with one set of quantization parameters. Ops that only move integers put their output in the
class of their input. A Concat puts all its inputs and its output in one class, where that is free:

    1. the producers' activations stay free under the common range: a ReLU needs its lower end at 0, and a Clip needs
       its upper end within the range of the class;
    2. the class is not fixed by another rule: the graph input (its scale is nudged, see `input_grid`) and the output
       of a GlobalAveragePool or Mul (its scale follows from its inputs', see `snap`), or of a
       function (see `functions`).

Elsewhere the Concat is a conflict, which a requantize of that input resolves. So is a Pad by a value that the class of
its input may not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgegap.graph.nodes import constant, operand, shape_of
from edgegap.quantize.functions import FUNCTIONS
from edgegap.quantize.lower import ACTIVATIONS, ARITHMETIC, PASSING
from edgegap.quantize.statistics import Statistics

Conflict = tuple[ir.Node, int]
"""A node and the index of the input that has to be requantized."""


@dataclass(frozen=True)
class Limits:
    """What the activation in front of a value clips to; infinite where there is none."""

    lo: float = float("-inf")
    hi: float = float("inf")

    def tightened(self, other: Limits) -> Limits:
        """Both limits at once."""
        return Limits(max(self.lo, other.lo), min(self.hi, other.hi))


def limits_of(node: ir.Node | None) -> Limits:
    """The limits of a Relu or Clip node."""
    if node is not None and node.op_type == "Relu":
        return Limits(lo=0.0)
    if node is not None and node.op_type == "Clip":
        ends = [constant(value) if value is not None else None for value in node.inputs[1:3]]
        lo, hi = (*ends, None, None)[:2]
        return Limits(
            float("-inf") if lo is None else float(lo.reshape(-1)[0]),
            float("inf") if hi is None else float(hi.reshape(-1)[0]),
        )
    return Limits()


class GridClasses:
    """The classes of a lowered model, each named by one of its values.

    Args:
        model: a lowered model.
        statistics: of the computed values, by name.

    Attributes:
        statistics: of each class.
        limits: of each class, those of all its activations together.
        fixed: the classes that no Concat or Add may join.
        conflicts: inputs of Concats and Pads that cannot join.
    """

    def __init__(self, model: ir.Model, statistics: Mapping[str, Statistics]) -> None:
        self._parent: dict[str, str] = {}
        self.statistics: dict[str, Statistics] = {}
        self.limits: dict[str, Limits] = {}
        self.conflicts: list[Conflict] = []
        source = str(model.graph.inputs[0].name)
        self.statistics[source] = statistics[source]
        self.fixed = {source}
        for node in model.graph:
            y = node.outputs[0]
            if node.op_type in ARITHMETIC | ACTIVATIONS and str(y.name) in statistics:
                self.statistics[str(y.name)] = statistics[str(y.name)]
                self.limits[str(y.name)] = limits_of(node)
                producer = operand(node).producer() if node.op_type in ACTIVATIONS else node
                if producer is not None and producer.op_type in {"GlobalAveragePool", "Mul", *FUNCTIONS}:
                    self.fixed.add(str(y.name))
            elif node.op_type == "Concat":
                self._join_concat(node)
            elif node.op_type == "Pad":
                self._join_pad(node)
            elif node.op_type in PASSING:
                self._union(operand(node), y)

    def of(self, value: ir.Value) -> str:
        """The name of the class of `value`."""
        name = str(value.name)
        while self._parent.setdefault(name, name) != name:
            name = self._parent[name]
        return name

    def _union(self, a: ir.Value, b: ir.Value) -> None:
        left, right = self.of(a), self.of(b)
        if left == right:
            return
        self._parent[right] = left
        self.limits[left] = self._limits(left).tightened(self.limits.pop(right, Limits()))
        if right in self.statistics:
            other = self.statistics.pop(right)
            self.statistics[left] = self.statistics[left].merged(other) if left in self.statistics else other

    def _limits(self, name: str) -> Limits:
        return self.limits.get(name, Limits())

    def _join_pad(self, node: ir.Node) -> None:
        """Join both sides of a Pad, with its fill in their range; a range that may not hold it is a conflict."""
        x, y = operand(node), node.outputs[0]
        name, value = self.of(x), constant(node.inputs[2]) if len(node.inputs) > 2 else None
        fill, seen = 0.0 if value is None else float(value.reshape(())), self.statistics.get(name)
        if fill and seen is not None:
            limits, held = self._limits(name), min(seen.lo, 0.0) <= fill <= max(seen.hi, 0.0)
            if not limits.lo <= fill <= limits.hi or (name in self.fixed and not held):
                self.conflicts.append((node, 0))
            filled = Statistics(fill, fill)
            share = np.prod(shape_of(y)) / np.prod(shape_of(x)) - 1
            filled.histogram.update(np.full(int(share * seen.histogram.counts.sum()), fill, np.float32))
            self.statistics[name] = seen.merged(filled)
        self._union(x, y)

    def _join_concat(self, node: ir.Node) -> None:
        """Join the inputs that the range of all of them together leaves free; the others are conflicts.

        A requantized copy has no activation and is in no other class: it can always join.
        """
        y = node.outputs[0]
        names = [self.of(operand(node, index)) for index in range(len(node.inputs))]
        if len(set(names)) == 1:  # parts of one value
            self._union(operand(node), y)
            return
        seen = [self.statistics[name] for name in names if name in self.statistics]
        lo, hi = min([0.0, *(s.lo for s in seen)]), max([0.0, *(s.hi for s in seen)])
        for index, name in enumerate(names):
            limits = self._limits(name)
            if name in self.fixed or lo < limits.lo or hi > limits.hi:
                self.conflicts.append((node, index))
            else:
                self._union(operand(node, index), y)
