"""From a canonical float model and calibration images to one QDQ model in normal form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import InternalError
from edgegap.graph.nodes import describe, operand, required_constant
from edgegap.quantize.equalize import equalize
from edgegap.quantize.grids import choose_grids
from edgegap.quantize.lower import lower
from edgegap.quantize.margin import weigh_by_margin
from edgegap.quantize.moments import collect_moments, portions
from edgegap.quantize.normal_form import Io, write_normal_form
from edgegap.quantize.observer import observe
from edgegap.quantize.parameters import Grid
from edgegap.quantize.quantization import Quantization, Quantized
from edgegap.quantize.recipe import Recipe
from edgegap.quantize.statistics import Statistics
from edgegap.quantize.weights import LinearParameters, compensate, quantize_linear


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
        InternalError: an iterator, which a second step would find empty.
    """
    if isinstance(batches, Iterator):
        raise InternalError("calibration images are iterated more than once: give a list, or what iterates anew")
    lowered = model.clone()
    lower(lowered)
    detailed = recipe.ranges != "minmax"
    statistics = observe(lowered, batches, detailed=detailed)
    changed, notices = equalize(lowered, statistics)
    if changed:
        statistics = observe(lowered, batches, detailed=detailed)
    if recipe.ranges == "margin":
        notices = (*notices, *weigh_by_margin(lowered, batches, statistics, recipe))
    grids = choose_grids(lowered, statistics, recipe.ranges, table)
    linear = {
        name: quantize_linear(*_constants(node), grids[str(operand(node).name)])
        for name, node in _linear_nodes(lowered).items()
    }
    if recipe.bias_correction:
        linear = _compensated(lowered, grids, linear, batches, second=recipe.rounding == "gptq")
    parts = Quantization(lowered, grids, linear)
    notices = (*notices, *_notices(lowered, statistics, linear))
    return Quantized(parts, parts.normal_form(io), notices, statistics[str(lowered.graph.inputs[0].name)].images)


def _linear_nodes(model: ir.Model) -> dict[str, ir.Node]:
    return {str(node.outputs[0].name): node for node in model.graph if node.op_type in ("Conv", "Gemm")}


def _constants(node: ir.Node) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return required_constant(node, 1, "weight"), required_constant(node, 2, "bias")


def _compensated(
    lowered: ir.Model,
    grids: Mapping[str, Grid],
    linear: Mapping[str, LinearParameters],
    batches: Iterable[NDArray[np.float32]],
    *,
    second: bool,
) -> dict[str, LinearParameters]:
    """The parameters of every layer, chosen for what it reads in the network that the layers before it make."""
    nodes, found = _linear_nodes(lowered), dict(linear)
    for portion in portions(list(nodes.values()), second=second):
        written = write_normal_form(lowered, grids, found, "float")
        # The two have the same layers in the same order; the last may have another name.
        twins = dict(zip(nodes, _linear_nodes(written).values(), strict=True))
        names = [str(node.outputs[0].name) for node in portion]
        seen = collect_moments(written, [twins[name] for name in names], batches, second=second)
        for name, moments in zip(names, seen, strict=True):
            found[name] = compensate(found[name], *_constants(nodes[name]), moments)
    return found


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
