"""Change the grids of a file as little as makes every op exact: what `--resnap` allows.

The front end of a quantization of EdgeGAP's own chooses the grids, with the ranges that the file states in place of
those that calibration images show: a grid that fulfils the rules already stays as it is, to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgegap.errors import ModelError
from edgegap.qdq.stated import Lowered, behind_activation
from edgegap.quantize.classes import limits_of
from edgegap.quantize.grids import choose_grids
from edgegap.quantize.lower import ARITHMETIC
from edgegap.quantize.parameters import Grid
from edgegap.quantize.statistics import Statistics
from edgegap.quantize.ties import distance_to_tie, off_ties


def resnapped(lowered: Lowered, table: NDArray[np.float32] | None) -> tuple[dict[str, Grid], list[str]]:
    """Grids that make every op exact, and a notice of those that changed.

    Args:
        lowered: as the file states it; requantizes are put into its model, in place.
        table: float32 [C, 256], the value of every pixel; None where the input is not 8-bit images.
    """
    model = lowered.model
    source = str(model.graph.inputs[0].name)
    stated = dict(lowered.grids)
    first = stated[source] if table is None else _pixels_off_ties(stated[source], table)
    ranges = {source: Statistics(first.lo, first.hi)}
    for node in model.graph:
        if node.op_type in ARITHMETIC:
            result = behind_activation(node)
            grid, limits = stated[str(result.name)], limits_of(result.producer())
            ranges[str(result.name)] = Statistics(max(grid.lo, limits.lo), min(grid.hi, limits.hi))
    before = len(list(model.graph))
    grids = choose_grids(model, ranges, "minmax", None)
    changed = [
        f"{name} {stated[name].scale:.6g} to {grids[name].scale:.6g}"
        for name in ranges
        if name in stated and grids[name] != stated[name]
    ]
    notices = []
    if changed:
        notices.append(f"--resnap changed {len(changed)} of {len(ranges)} scales: {', '.join(changed)}")
    if len(list(model.graph)) > before:
        notices.append(f"--resnap put {len(list(model.graph)) - before} nodes in that requantize a value")
    return grids, notices


def _pixels_off_ties(grid: Grid, table: NDArray[np.float32]) -> Grid:
    """The input's grid, its scale raised by millionths until no pixel value lies near a tie (see `input_grid`).

    Raises:
        ModelError: no such scale is near.
    """
    raised = off_ties(grid.scale, grid.lo, lambda grid: distance_to_tie(table, grid))
    if raised is None:
        hint = "Leave out --resnap."
        raise ModelError("no scale near that of its input keeps every pixel value off a tie", hint=hint)
    return raised
