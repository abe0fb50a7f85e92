"""What each part of a quantization costs: every activation's grid and every layer's weights, quantized alone.

The cost is the noise that the part puts on the logits, and how many images then get another answer. Costs do not add
up, since errors may cancel or meet; they rank the parts.

A part alone differs from the float network from its own node on. So many parts share one pass: the batch grows at each
of them by the images as that part changes them, [float, part 1, part 2, ...].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import DataError
from edgegap.evaluator import Evaluator
from edgegap.evaluator.ops import OPERATIONS
from edgegap.graph.nodes import constant, module_path, operand, required_constant
from edgegap.needs_torch import import_torch
from edgegap.progress import Progress
from edgegap.quantize.floats import real_values
from edgegap.quantize.lower import ACTIVATIONS, PASSING
from edgegap.quantize.noise import Cost, Noise
from edgegap.quantize.parameters import Grid
from edgegap.quantize.quantization import Quantization
from edgegap.quantize.simulation import Simulation, on_grid
from edgegap.quantize.weights import LinearParameters

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["activation", "weights"]

IMAGES = 64
"""How many images are enough to rank parts."""

_AT_ONCE = 16
"""Parts in one pass: more leave the cache, fewer repeat more of the float network."""

_EXACT = 1e-6
"""The largest relative error of weights that are what they were, to within float32."""


@dataclass(frozen=True)
class Part:
    """What one part costs when it alone is quantized.

    Args:
        name: the output of the node that computes the activation or has the weights; of the input, its own.
        kind: what is quantized. An activation is so behind the ReLU or Clip that follows the node.
        op: of the node; 'Input' for the input.
        module: the path of the node's torch module, '' where it is unknown.
        snr_db: of the logits, dB; None where there is no noise beyond that of float32 arithmetic.
        changed: images whose first answer is another than in float.
    """

    name: str
    kind: Kind
    op: str
    module: str
    snr_db: float | None
    changed: int


@dataclass(frozen=True)
class Sensitivity:
    """What a quantization costs, and its parts.

    Args:
        images: on how many images.
        whole: everything quantized.
        weights: all weights alone.
        activations: all activations alone.
        parts: the worst first.
    """

    images: int
    whole: Cost
    weights: Cost
    activations: Cost
    parts: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """As it stands in records."""
        return {**asdict(self), "parts": [asdict(part) for part in self.parts]}


def sensitivity(
    quantization: Quantization, batches: Iterable[NDArray[np.float32]], progress: Progress, total: int | None = None
) -> Sensitivity:
    """What every part of a quantization costs. What stays in float is none, nor are weights whose integers are exact.

    Args:
        quantization: only read.
        batches: float32 [n, C, H, W], iterated once: `IMAGES` images from all over a set are enough. One at a time
            takes least memory, and no more time for images of 224 x 224.
        progress: told how many images are done.
        total: how many there are, for `progress`.

    Raises:
        MissingPackage: torch is not installed.
        ModelError: logits that are NaN or infinite.
        DataError: no images.
    """
    torch = import_torch("--report-sensitivity", "leave it out")
    model, kept = quantization.model, quantization.float_layers
    real = real_values(model, kept, "float")
    grids = {name: grid for name, grid in quantization.grids.items() if name not in real}
    linear = {name: layer for name, layer in quantization.linear.items() if name not in kept}
    evaluate, parts = Evaluator(model), _parts(model, grids, linear)
    together = [Simulation(model, grids, linear), Simulation(model, {}, linear), Simulation(model, grids, {})]
    noises = [Noise() for _ in (*together, *parts)]
    images = 0
    with torch.no_grad():
        for batch in batches:
            progress("measuring sensitivity", images, total)
            x = torch.from_numpy(batch)
            logits = [simulation(x).flatten(1).numpy() for simulation in together]
            for start in range(0, len(parts), _AT_ONCE):
                reference, *rows = _each_alone(evaluate, parts[start : start + _AT_ONCE], x).numpy()
                logits += rows
            for noise, found in zip(noises, logits, strict=True):
                noise.add(reference, found)
            images += len(batch)
    if not images:
        raise DataError("there are no images to measure sensitivity on", hint="Give some with --calib.")
    whole, weights, activations, *costs = (noise.cost() for noise in noises)
    ranked = sorted(
        (Part(*part.about, cost.snr_db, cost.changed) for part, cost in zip(parts, costs, strict=True)),
        key=lambda part: (math.inf if part.snr_db is None else part.snr_db, -part.changed),
    )
    return Sensitivity(images, whole, weights, activations, tuple(ranked))


@dataclass(frozen=True)
class _Alone:
    """One part to quantize alone.

    Args:
        about: name, kind, op and module of the `Part`.
        value: the value that it changes.
        change: that value's tensor and its node's inputs, in float, to the tensor that takes its place.
    """

    about: tuple[str, Kind, str, str]
    value: str
    change: Callable[[Tensor, list[Tensor | None]], Tensor]


def _parts(model: ir.Model, grids: Mapping[str, Grid], linear: Mapping[str, LinearParameters]) -> list[_Alone]:
    """All parts, in the order of the graph. Ops that move values move rounded ones, so that they need no rounding."""
    source = str(model.graph.inputs[0].name)
    found = [_Alone((source, "activation", "Input", ""), source, _rounding(grids[source]))]
    for node in model.graph:
        y = str(node.outputs[0].name)
        if y in linear and _differs(node, linear[y]):
            found.append(_Alone((y, "weights", node.op_type, module_path(node)), y, _computing(node, linear[y])))
        if y in grids and node.op_type not in PASSING:
            made_by = operand(node).producer() if node.op_type in ACTIVATIONS else node
            made_by = node if made_by is None else made_by
            name, path = str(made_by.outputs[0].name), module_path(made_by)
            found.append(_Alone((name, "activation", made_by.op_type, path), y, _rounding(grids[y])))
    return found


def _differs(node: ir.Node, parameters: LinearParameters) -> bool:
    """Whether integers say anything else than the float parameters: those of a requantize do not."""
    pairs = (
        (parameters.real_weight, required_constant(node, 1, "weight")),
        (parameters.real_bias, required_constant(node, 2, "bias")),
    )
    return any(np.abs(real - given).max() > _EXACT * np.abs(given).max() for real, given in pairs)


def _rounding(grid: Grid) -> Callable[[Tensor, list[Tensor | None]], Tensor]:
    return lambda tensor, _: on_grid(tensor, grid)


def _computing(node: ir.Node, parameters: LinearParameters) -> Callable[[Tensor, list[Tensor | None]], Tensor]:
    import torch  # noqa: PLC0415  # slow to import

    weight, bias = torch.from_numpy(parameters.real_weight), torch.from_numpy(parameters.real_bias)
    return lambda _, inputs: OPERATIONS[node.op_type](node, [inputs[0], weight, bias])


def _each_alone(evaluate: Evaluator, parts: list[_Alone], images: Tensor) -> Tensor:
    """The logits [1 + parts, n, classes] for images [n, C, H, W]: the float network's, then each part's."""
    import torch  # noqa: PLC0415  # slow to import

    n, rows = len(images), 1
    in_float: list[Tensor | None] = []

    def grown(tensor: Tensor, to: int) -> Tensor:
        """`tensor` with the float images in the place of the parts that do not touch it."""
        missing = to - len(tensor) // n
        return torch.cat([tensor, *[tensor[:n]] * missing]) if missing else tensor

    def operands(node: ir.Node, inputs: list[Tensor | None]) -> list[Tensor | None]:
        computed = {k: x for k, x in enumerate(inputs) if x is not None and constant(node.inputs[k]) is None}
        most = max(len(x) // n for x in computed.values())
        in_float[:] = [computed[k][:n] if k in computed else x for k, x in enumerate(inputs)]
        return [grown(computed[k], most) if k in computed else x for k, x in enumerate(inputs)]

    def hook(value: ir.Value, tensor: Tensor) -> Tensor:
        nonlocal rows
        changed = [part.change(tensor[:n], in_float) for part in parts if part.value == value.name]
        if not changed:
            return tensor
        tensor = torch.cat([grown(tensor, rows), *changed])
        rows += len(changed)
        return tensor

    return grown(evaluate(images, hook, operands), rows).reshape(rows, n, -1)
