"""From a canonical float model and calibration images to one QDQ model in normal form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import describe, operand, required_constant
from edgegap.quantize.grids import choose_grids
from edgegap.quantize.lower import lower
from edgegap.quantize.margin import weigh_by_margin
from edgegap.quantize.moments import collect_moments
from edgegap.quantize.normal_form import Io, write_normal_form
from edgegap.quantize.observer import observe
from edgegap.quantize.parameters import Grid
from edgegap.quantize.recipe import Recipe
from edgegap.quantize.statistics import Statistics
from edgegap.quantize.verify import verify_normal_form
from edgegap.quantize.weights import LinearParameters, compensate, quantize_linear


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
        batches: calibration images, float32 [n, C, H, W]; iterated anew for every step that looks at them, in constant
            memory.
        recipe: how ranges and biases are chosen.
        table: float32 [C, 256], the value of every pixel; None where the input is not 8-bit images.
        io: whether the QDQ model takes and gives float values, or uint8 integers.

    Raises:
        ModelError: an activation that is NaN or infinite, naming the layer.
        DataError: no calibration images.
    """
    lowered = model.clone()
    lower(lowered)
    statistics = observe(lowered, batches, detailed=recipe.ranges != "minmax")
    notices: tuple[str, ...] = ()
    if recipe.ranges == "margin":
        notices = weigh_by_margin(lowered, batches, statistics, recipe=recipe.name)
    grids = choose_grids(lowered, statistics, recipe.ranges, table)
    layers = {str(node.outputs[0].name): node for node in lowered.graph if node.op_type in ("Conv", "Gemm")}
    linear = {name: quantize_linear(*_constants(node), grids[str(operand(node).name)]) for name, node in layers.items()}
    if recipe.bias_correction or recipe.rounding == "gptq":
        linear = _compensated(lowered, grids, linear, batches, second=recipe.rounding == "gptq")
    written = write_normal_form(lowered, grids, linear, io)
    verify_normal_form(written)
    source = str(lowered.graph.inputs[0].name)
    notices = (*notices, *_notices(lowered, statistics, linear))
    return Quantized(written, grids[source], notices, statistics[source].images)


def _constants(node: ir.Node) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return required_constant(node, 1, "weight"), required_constant(node, 2, "bias")


def _linear_nodes(model: ir.Model) -> list[ir.Node]:
    return [node for node in model.graph if node.op_type in ("Conv", "Gemm")]


def _compensated(
    lowered: ir.Model,
    grids: Mapping[str, Grid],
    linear: dict[str, LinearParameters],
    batches: Iterable[NDArray[np.float32]],
    *,
    second: bool,
) -> dict[str, LinearParameters]:
    written = write_normal_form(lowered, grids, linear, "float")
    names = [str(node.outputs[0].name) for node in _linear_nodes(lowered)]
    layers = dict(zip(names, _linear_nodes(written), strict=True))
    moments = collect_moments(written, layers, batches, second=second)
    return {
        str(node.outputs[0].name): compensate(
            linear[str(node.outputs[0].name)], *_constants(node), moments[str(node.outputs[0].name)]
        )
        for node in _linear_nodes(lowered)
    }


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
