"""One channel that dwarfs the others of its activation: scaled down, and the next layer's weights for it up.

An activation has one scale, so a channel a thousand times as large as the others leaves them a quarter of a step.
Behind a linear layer, and a ReLU at most, a channel's size is free: f(s x) = s f(x) for s > 0, so row c of the layer
divided by s and column c of the next multiplied by s compute the same (Nagel et al., 'Data-Free Quantization Through
Weight Equalization and Bias Correction', 2019, equation 7). Powers of two make that exact in float32.

Rules:
    1. A channel is dominant that reaches `DOMINANT` times as far as the median channel.
    2. It is divided by the power of two that brings it nearest to the next largest channel that is not dominant, but
       by no more than leaves its weights in the next layer at most as large as the largest of each row: those share a
       scale too.
    3. What cannot be brought below the limit of rule 1 is left as it is, and told.
    4. All other channels, and so all networks without such a channel, stay bit for bit as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import add_initializer, attribute, describe, graph_of, operand, required_constant
from edgegap.quantize.statistics import Statistics

DOMINANT = 64

_LINEAR = ("Conv", "Gemm")
_HOMOGENEOUS = ("Relu", "MaxPool", "GlobalAveragePool")
"""Ops through which a positive factor of a channel passes unchanged."""


def equalize(model: ir.Model, statistics: Mapping[str, Statistics]) -> tuple[bool, tuple[str, ...]]:
    """Apply the rules above to a lowered model, in place: whether anything changed, and notices.

    Args:
        model: a lowered model.
        statistics: of its observed values, by name; those of what changed are out of date then.
    """
    changed, notices = False, []
    for node in list(model.graph):
        if node.op_type not in _LINEAR:
            continue
        seen = statistics.get(str(_activated(node).name))
        if seen is None or len(seen.peaks) < 3:
            continue
        median = float(np.median(seen.peaks))
        dominant = np.flatnonzero((seen.peaks > DOMINANT * median) & (median > 0))
        if not len(dominant):
            continue
        factors = _factors(node, seen.peaks, dominant)
        if (factors > 1).any():
            _divide(node, factors)
            changed = True
        left = [c for c in dominant if seen.peaks[c] / factors[c] > DOMINANT * median]
        notices.append(_notice(node, seen.peaks / median, dominant, left))
    return changed, tuple(notices)


def _activated(node: ir.Node) -> ir.Value:
    """The output of a linear layer, behind the activation that follows it alone."""
    readers = node.outputs[0].consumers()
    return readers[0].outputs[0] if len(readers) == 1 and readers[0].op_type in ("Relu", "Clip") else node.outputs[0]


def _next_linear(node: ir.Node) -> ir.Node | None:
    """The one linear layer that reads a layer's channels, where nothing on the way depends on their size."""
    value = node.outputs[0]
    while not value.is_graph_output() and len(list(value.uses())) == 1:
        (reader,) = value.consumers()
        if reader.op_type in _LINEAR:
            return reader
        flat = (
            reader.op_type == "Flatten"
            and operand(reader).shape is not None
            and len(reader.outputs[0].shape or ()) == 2
        )
        if reader.op_type not in _HOMOGENEOUS and not (flat and _is_pooled(operand(reader))):
            return None
        value = reader.outputs[0]
    return None


def _is_pooled(value: ir.Value) -> bool:
    return tuple(value.shape or ())[2:] == (1, 1)


def _factors(node: ir.Node, peaks: NDArray[np.float64], dominant: NDArray[np.int64]) -> NDArray[np.float64]:
    """By what each channel is divided: rule 2."""
    factors, reader = np.ones(len(peaks)), _next_linear(node)
    if reader is None:
        return factors
    others = np.delete(peaks, dominant).max()
    columns = _columns(required_constant(reader, 1, "weight"), int(attribute(reader, "group", 1)))
    rows = columns.max(axis=1)  # [G, R]: the largest weight of each row
    for channel in dominant:
        group, column = divmod(int(channel), columns.shape[1])
        weights = columns[group, column]
        room = (rows[group][weights > 0] / weights[weights > 0]).min(initial=np.inf)
        exponent = min(np.rint(np.log2(peaks[channel] / others)), np.floor(np.log2(room)))
        factors[channel] = 2.0 ** max(exponent, 0)
    return factors


def _columns(weight: NDArray[np.float32], groups: int) -> NDArray[np.float64]:
    """The largest magnitude of each input channel's weights in each row: [G, C / G, R]."""
    magnitudes = np.abs(weight.reshape(*weight.shape[:2], -1)).max(axis=2).astype(np.float64)
    by_group: NDArray[np.float64] = magnitudes.reshape(groups, -1, weight.shape[1])
    return by_group.transpose(0, 2, 1)


def _divide(node: ir.Node, factors: NDArray[np.float64]) -> None:
    reader = _next_linear(node)
    if reader is None:
        return
    weight, bias = required_constant(node, 1, "weight"), required_constant(node, 2, "bias")
    _put(node, 1, weight / factors.reshape(-1, *[1] * (weight.ndim - 1)))
    _put(node, 2, bias / factors)
    after = required_constant(reader, 1, "weight")
    groups = int(attribute(reader, "group", 1))
    per_row = np.repeat(factors.reshape(groups, -1), len(after) // groups, axis=0)
    _put(reader, 1, after * per_row.reshape(*per_row.shape, *[1] * (after.ndim - 2)))


def _put(node: ir.Node, index: int, array: NDArray[np.float64]) -> None:
    name = f"{operand(node, index).name}_equalized"
    node.replace_input_with(index, add_initializer(graph_of(node), name, array.astype(np.float32)))


def _notice(node: ir.Node, times: NDArray[np.float64], dominant: NDArray[np.int64], left: list[np.int64]) -> str:
    worst = dominant[np.argmax(times[dominant])]
    text = f"channel {worst} of {describe(node)} reaches {times[worst]:,.0f} times as far as its median channel"
    if len(dominant) > 1:
        text += f", and {len(dominant) - 1} more are like it"
    if not left:
        return f"{text}: scaled down in it and up in the next layer, which computes the same"
    return f"{text}: no next layer can take it over, and the other channels share few of the 256 steps"
