"""How far the integers of one op may differ between ONNX Runtime and LiteRT with XNNPACK: its bound, in LSB.

Every op of the normal form is exact (bound 0), some of them under a condition on their scales:

    Conv, Gemm, Div, Concat, MaxPool, Pad, Slice, Flatten, Reshape, Resize, Transpose   always
    Add                 where its scales are tie-free (`snap.add_is_tie_free`), else 1
    GlobalAveragePool   where its scales are tie-free (`snap.ratio_is_tie_free`), else 1
    Mul                 likewise
    Elu, Gelu, Mish, Sigmoid, Softplus, Tanh
                        where none of their 256 results lies near a tie (`functions.tie_distance`), else 1
    GlobalLpPool        where no sum is rounded in an order of its own (`integer_length_is_exact`), else 1
    LayerNormalization  where no sum is rounded in an order of its own (`integer_norm_is_exact`), else 1
    QuantizeLinear      of the input: where no pixel lies near a tie (`input_grid`), else 1

A layer that stays in float has no bound: it is computed from identical integers, in an order that each runtime chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.integer_length import integer_length_is_exact
from edgegap.graph.integer_norm import integer_norm_is_exact
from edgegap.graph.nodes import describe, operand, shape_of, sole_consumer
from edgegap.quantize.floats import float_nodes
from edgegap.quantize.functions import FUNCTIONS, function_of, tie_distance
from edgegap.quantize.lower import ARITHMETIC
from edgegap.quantize.parameters import Grid
from edgegap.quantize.snap import add_is_tie_free, ratio_is_tie_free
from edgegap.quantize.ties import MARGIN, distance_to_tie
from edgegap.quantize.verify import grid_of


@dataclass(frozen=True)
class Inexact:
    """An op that may differ between the runtimes.

    Args:
        where: the node.
        lsb: by how much at most; None where no bound is known.
        why: the condition that its scales break, or that it stays in float.
    """

    where: str
    lsb: int | None
    why: str


def inexact_ops(model: ir.Model, table: NDArray[np.float32] | None) -> list[Inexact]:
    """The ops of a QDQ model in normal form whose bound is not 0, in the graph's order.

    Args:
        model: in normal form.
        table: float32 [C, 256], the value of every pixel; None where the input is not 8-bit images.
    """
    found: list[Inexact] = []
    floats = float_nodes(model)
    for node in model.graph:
        if node in floats:
            if node.op_type in ARITHMETIC:
                computed = "computed in float" if found else "computed in float from identical integers"
                found.append(Inexact(describe(node), None, computed))
            continue
        why = _why_inexact(node, table)
        if why:
            found.append(Inexact(describe(node), 1, why))
    return found


def _why_inexact(node: ir.Node, table: NDArray[np.float32] | None) -> str | None:
    if node.op_type == "QuantizeLinear" and operand(node).is_graph_input():
        grid = grid_of(node.outputs[0])
        if table is None:
            return "the input is not 8-bit images: a value may lie on a tie"
        return (
            None
            if grid and distance_to_tie(table, grid) >= MARGIN
            else "a pixel value lies on a tie of the input's grid"
        )
    if node.op_type == "LayerNormalization":
        exact = integer_norm_is_exact(shape_of(operand(node))[-1])
        return None if exact else "the sum of the squares of so many channels may be rounded"
    if node.op_type == "GlobalLpPool":
        return None if integer_length_is_exact(node) else "the sum of the squares of so wide a map may be rounded"
    if node.op_type not in {"Add", "Mul", "GlobalAveragePool", *FUNCTIONS}:
        return None
    quantize = sole_consumer(node.outputs[0])
    grids = [grid_of(value) for value in (*node.inputs, quantize.outputs[0] if quantize else None) if value is not None]
    if node.op_type in FUNCTIONS:
        known = [grid for grid in grids if grid is not None]
        steady = len(known) == 2 and tie_distance(function_of(node), *known) >= MARGIN
        return None if steady else "one of its 256 results lies near a tie"
    scales = [grid.scale for grid in grids if isinstance(grid, Grid)]
    if node.op_type == "Add":
        free = len(scales) == 3 and add_is_tie_free(scales[0], scales[1], scales[2])
    elif node.op_type == "Mul":
        free = len(scales) == 3 and ratio_is_tie_free(scales[0] * scales[1], scales[2])
    else:
        positions = int(np.prod(shape_of(operand(node))[2:]))
        free = len(scales) == 2 and ratio_is_tie_free(scales[0] / positions, scales[1])
    return None if free else "its scales allow a tie"
