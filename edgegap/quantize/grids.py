"""One grid for every value of a lowered model: ranges, then snapping, with requantizes where two rules collide."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import constant, operand, shape_of
from edgegap.quantize.classes import Conflict, GridClasses
from edgegap.quantize.functions import FUNCTIONS, PRESCRIBED, Function, function_of, tie_distance
from edgegap.quantize.input_grid import pixel_grid
from edgegap.quantize.lower import ARITHMETIC, requantize
from edgegap.quantize.parameters import QMAX, Grid, affine_grid, constant_grid, grid_at
from edgegap.quantize.ranges import choose_range, logit_range
from edgegap.quantize.recipe import RangeMethod
from edgegap.quantize.snap import LOSS_CAP, AddGroup, snap_ratio
from edgegap.quantize.statistics import Statistics
from edgegap.quantize.ties import off_ties


def choose_grids(
    model: ir.Model,
    statistics: dict[str, Statistics],
    method: RangeMethod,
    table: NDArray[np.float32] | None,
) -> dict[str, Grid]:
    """The grid of every activation and constant operand, by the name of the value.

    Args:
        model: a lowered model; requantizes are put in, in place.
        statistics: of its observed values; those of the requantized values are added.
        method: how ranges are chosen.
        table: float32 [C, 256], the value of every pixel; None where the input is not 8-bit images.
    """
    while True:
        classes = GridClasses(model, statistics)
        conflicts = classes.conflicts
        if not conflicts:
            grids, conflicts = _grids(model, classes, method, table)
        if not conflicts:
            return {str(value.name): grids[classes.of(value)] for value in _values(model) if classes.of(value) in grids}
        for node, index in conflicts:
            source = statistics.get(
                str(operand(node, index).name), classes.statistics[classes.of(operand(node, index))]
            )
            statistics[str(requantize(node, index).name)] = source


def _values(model: ir.Model) -> Iterator[ir.Value]:
    yield from model.graph.inputs
    for node in model.graph:
        yield node.outputs[0]
        if node.op_type in ("Add", "Mul"):
            yield from (value for value in node.inputs if value is not None and constant(value) is not None)


def _grids(
    model: ir.Model, classes: GridClasses, method: RangeMethod, table: NDArray[np.float32] | None
) -> tuple[dict[str, Grid], list[Conflict]]:
    source, logits = classes.of(model.graph.inputs[0]), classes.of(model.graph.outputs[0])
    spans = {
        name: choose_range(seen, "minmax" if name in (source, logits) else method)
        for name, seen in classes.statistics.items()
    }
    if method != "minmax":
        spans[logits] = logit_range(classes.statistics[logits])
    grids = {name: affine_grid(*span) for name, span in spans.items()}
    if table is not None:
        grids[source] = pixel_grid(table)
    for node in model.graph:
        if node.op_type in ("Add", "Mul"):
            for value in node.inputs:
                array = constant(value)
                if value is not None and array is not None:
                    grids[classes.of(value)] = constant_grid(array)
                    spans[classes.of(value)] = (min(float(array.min()), 0.0), max(float(array.max()), 0.0))
    conflicts = _snap_adds(model, classes, grids, spans) + _steady_functions(model, classes, grids, spans)
    for node in model.graph:
        if node.op_type in ("GlobalAveragePool", "Mul"):
            name, step = classes.of(_computed(node)), grids[classes.of(operand(node))].scale
            wanted = grids[name].scale
            if node.op_type == "Mul":
                step *= grids[classes.of(operand(node, 1))].scale
                # No product is larger, though the range of one that is always 0 is chosen freely.
                wanted = min(wanted, 2 * QMAX * step)
            else:
                step /= int(np.prod(shape_of(operand(node))[2:]))
            grids[name] = grid_at(snap_ratio(step, wanted), spans[name][0])
    return grids, conflicts


def _steady_functions(
    model: ir.Model, classes: GridClasses, grids: dict[str, Grid], spans: dict[str, tuple[float, float]]
) -> list[Conflict]:
    """Nudge what functions read until none of their results lies near a tie; the inputs that may not be nudged."""
    snapped = {
        classes.of(value)
        for node in model.graph
        if node.op_type == "Add"
        for value in (operand(node, 0), operand(node, 1), _computed(node))
    }
    conflicts: list[Conflict] = []
    readers: dict[str, list[tuple[Function, str]]] = {}
    for node in model.graph:
        if node.op_type not in FUNCTIONS:
            continue
        source, result = classes.of(operand(node)), classes.of(node.outputs[0])
        grids[result] = PRESCRIBED.get(node.op_type, grids[result])
        if source in classes.fixed or source in snapped:
            conflicts.append((node, 0))
        else:
            readers.setdefault(source, []).append((function_of(node), result))
    for source, functions in readers.items():

        def distance(grid: Grid, functions: list[tuple[Function, str]] = functions) -> float:
            return min(tie_distance(function, grid, grids[result]) for function, result in functions)

        grids[source] = off_ties(grids[source].scale, spans[source][0], distance) or grids[source]
    return conflicts


def _computed(node: ir.Node) -> ir.Value:
    """The value that an arithmetic node computes, behind the activation that follows it alone."""
    consumers = node.outputs[0].consumers()
    if len(consumers) == 1 and consumers[0].op_type in ("Relu", "Clip") and node.op_type in ARITHMETIC:
        return consumers[0].outputs[0]
    return node.outputs[0]


def _snap_adds(
    model: ir.Model, classes: GridClasses, grids: dict[str, Grid], spans: dict[str, tuple[float, float]]
) -> list[Conflict]:
    """Snap every group of Adds, in place of their grids; the inputs that must be requantized before that works."""
    adds = [node for node in model.graph if node.op_type == "Add"]
    conflicts = [(node, k) for node in adds for k in range(2) if classes.of(operand(node, k)) in classes.fixed]
    if conflicts:
        return conflicts
    # A value that only Adds read is added to something of a coarser grid: a requantized copy would be just as coarse.
    others = [node for node in model.graph if node.op_type in ARITHMETIC - {"Add"}]
    read = {classes.of(value) for node in others for value in node.inputs if value is not None}
    for group, members in _groups(adds, classes):
        for name in group:
            if name in classes.limits and np.isfinite(classes.limits[name].hi):
                members.capped.add(name)
            members.wanted[name] = grids[name].scale
        scales = members.snapped()
        losses = members.losses(scales)
        coarse = {name for name, loss in losses.items() if loss > LOSS_CAP} & (members.outputs | read)
        conflicts += [(node, k) for node in adds for k in range(2) if classes.of(operand(node, k)) in coarse]
        for name, scale in scales.items():
            grids[name] = grid_at(scale, spans[name][0])
    return conflicts


def _groups(adds: list[ir.Node], classes: GridClasses) -> list[tuple[set[str], AddGroup]]:
    groups: list[tuple[set[str], AddGroup]] = []
    for node in adds:
        output = classes.of(_computed(node))
        touched = {output, *(classes.of(operand(node, k)) for k in range(2))}
        outputs = {output}
        for other in [g for g in groups if g[0] & touched]:
            groups.remove(other)
            touched |= other[0]
            outputs |= other[1].outputs
        groups.append((touched, AddGroup({}, outputs)))
    return groups
