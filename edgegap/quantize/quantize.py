"""From a canonical float model and calibration images to one QDQ model in normal form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import attribute, describe, operand, required_constant, shape_of
from edgegap.quantize.grids import choose_grids
from edgegap.quantize.lower import lower
from edgegap.quantize.normal_form import Io, write_normal_form
from edgegap.quantize.observer import observe
from edgegap.quantize.parameters import Grid
from edgegap.quantize.recipe import Recipe
from edgegap.quantize.statistics import Statistics
from edgegap.quantize.verify import verify_normal_form
from edgegap.quantize.weights import LinearParameters, quantize_linear


@dataclass(frozen=True)
class Quantized:
    """A quantization.

    Args:
        model: the QDQ model in normal form.
        input_grid: the grid of the input.
        notices: one line on everything that a user should know, such as a channel without weights.
        images: how many calibration images were seen.
    """

    model: ir.Model
    input_grid: Grid
    notices: tuple[str, ...]
    images: int


def quantize(
    model: ir.Model,
    batches: Iterable[NDArray[np.float32]],
    recipe: Recipe,
    *,
    table: NDArray[np.float32] | None,
    io: Io = "float",
) -> Quantized:
    """Quantize a canonical float model, which is only read.

    Args:
        model: in canonical form.
        batches: calibration images, float32 [n, C, H, W]; consumed once, in constant memory.
        recipe: how ranges and biases are chosen.
        table: float32 [C, 256], the value of every pixel; None where the input is not 8-bit images.
        io: whether the QDQ model takes and gives float values, or uint8 integers.

    Raises:
        ModelError: an activation that is NaN or infinite, naming the layer.
        DataError: no calibration images.
    """
    lowered = model.clone()
    lower(lowered)
    statistics = observe(lowered, batches, detailed=recipe.bias_correction or recipe.ranges != "minmax")
    grids = choose_grids(lowered, statistics, recipe.ranges, table)
    linear = {}
    for node in lowered.graph:
        if node.op_type in ("Conv", "Gemm"):
            linear[str(node.outputs[0].name)] = _linear(node, grids, statistics if recipe.bias_correction else {})
    written = write_normal_form(lowered, grids, linear, io)
    verify_normal_form(written)
    source = str(lowered.graph.inputs[0].name)
    return Quantized(written, grids[source], _notices(lowered, statistics, linear), statistics[source].images)


def _linear(node: ir.Node, grids: dict[str, Grid], statistics: dict[str, Statistics]) -> LinearParameters:
    x = str(operand(node).name)
    weight, bias = required_constant(node, 1, "weight"), required_constant(node, 2, "bias")
    seen = statistics.get(x)
    mean = seen.mean if seen is not None and shape_of(operand(node))[1] == _inputs(node, weight) else None
    return quantize_linear(weight, bias, grids[x], input_mean=mean, groups=attribute(node, "group", 1))


def _inputs(node: ir.Node, weight: NDArray[np.float32]) -> int:
    return int(weight.shape[1]) * int(attribute(node, "group", 1))


def _notices(
    model: ir.Model, statistics: Mapping[str, Statistics], linear: Mapping[str, LinearParameters]
) -> tuple[str, ...]:
    nodes = {str(node.outputs[0].name): node for node in model.graph}
    constant = [describe(nodes[name]) for name, seen in statistics.items() if name in nodes and seen.lo == seen.hi]
    notices = [f"the output of {where} is the same for every image and position" for where in constant]
    dead = {name: parameters.dead for name, parameters in linear.items() if parameters.dead}
    if dead:
        most = max(dead, key=lambda name: dead[name])
        notices.append(
            f"{sum(dead.values())} channels in {len(dead)} layers have weights that are all zero "
            f"(most of them, {dead[most]}, in {describe(nodes[most])}): they cost time and add nothing"
        )
    return tuple(notices)
