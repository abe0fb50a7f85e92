"""Mixed precision: the fewest layers that have to stay in float for the loss to meet a limit.

A layer in float reads the integers in front of it as they are, has the weights that training gave it, and 4 times their
bytes. Its output is rounded for the int8 layers behind it, and not at all where only float layers or the output follow.

Layers are ranked by the noise that rounding them alone puts on the logits (`sensitivity`): a loss counted on a few
hundred images comes in steps that are too coarse to rank by. The shortest head of that ranking that meets the limit is
found by bisection, since more float layers hardly ever lose more; whatever of it turns out not to be needed goes back
to int8. The result is small, and each of its layers is needed; a smaller set of other layers is not ruled out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import DataError, DropError
from edgegap.evaluator import Evaluator
from edgegap.graph.nodes import module_path, operand, required_constant, shape_of
from edgegap.progress import Progress
from edgegap.quantize.floats import LINEAR, real_values
from edgegap.quantize.normal_form import Io
from edgegap.quantize.quantization import Quantization
from edgegap.quantize.sensitivity import IMAGES, Part, sensitivity
from edgegap.quantize.simulation import Simulation

Measure = Literal["top-1 drop", "disagreement"]
"""What is lost, in percentage points of the images: right answers, or without labels answers of the float network."""

_KIB_PER_WEIGHT = (4 - 1) / 2**10


@dataclass(frozen=True)
class KeptLayer:
    """A layer that stays in float.

    Args:
        name: of its output.
        op: 'Conv' or 'Gemm'.
        module: the path of its torch module, '' where it is unknown.
        buys_pp: how much more is lost when this layer is quantized like the rest.
        costs_kib: by how much its weights are larger, KiB.
    """

    name: str
    op: str
    module: str
    buys_pp: float
    costs_kib: float


@dataclass(frozen=True)
class Mixed:
    """A quantization whose loss meets a limit, and what that took.

    Args:
        parts: the quantization, with the layers that stay in float.
        kept: those layers, in the graph's order.
        measure: what `int8_pp` and `mixed_pp` are.
        images: how many it was measured on.
        int8_pp: the loss with every layer in int8.
        mixed_pp: the loss of `parts`.
    """

    parts: Quantization
    kept: tuple[KeptLayer, ...]
    measure: Measure
    images: int
    int8_pp: float
    mixed_pp: float


def keep_in_float(
    parts: Quantization,
    batches: Iterable[NDArray[np.float32]],
    labels: NDArray[np.int64],
    max_drop_pp: float,
    io: Io,
    progress: Progress,
) -> Mixed:
    """Keep the layers of a quantization in float that a limit asks for; none where the int8 network meets it.

    The loss is measured in the simulation, so that a tie may fall otherwise in the files.

    Args:
        parts: all in int8; only read.
        batches: calibration images, float32 [n, C, H, W]; iterated anew for every measurement.
        labels: int64 [images], -1 where there is none. One that is missing makes the loss a disagreement.
        max_drop_pp: the limit, percentage points of the images.
        io: what the files give: behind a last layer in float, integers are still rounded.
        progress: told how far it is.

    Raises:
        DropError: no choice of layers that was tried meets the limit; says the best.
        DataError: there are no images.
    """
    if not len(labels):
        raise DataError("there are no images to measure a drop on", hint="Give some with --calib.")
    loss = _Loss(parts, batches, labels, io, progress)
    if loss(frozenset()) <= max_drop_pp:
        return Mixed(parts, (), loss.measure, len(labels), loss(frozenset()), loss(frozenset()))
    ranked = _ranked(parts, batches, len(labels), io, progress)
    lengths = range(len(ranked) + 1)
    length = bisect_left(lengths, True, key=lambda length: loss(frozenset(ranked[:length])) <= max_drop_pp)
    if length not in lengths:
        raise _unmet(loss.seen, loss.measure, len(labels), max_drop_pp)
    kept = frozenset(ranked[:length])
    for name in reversed(ranked[:length]):
        if loss(kept - {name}) <= max_drop_pp:
            kept -= {name}
    nodes = [node for node in parts.model.graph if str(node.outputs[0].name) in kept]
    layers = tuple(_layer(node, loss(kept - {str(node.outputs[0].name)}) - loss(kept)) for node in nodes)
    mixed = replace(parts, float_layers=kept)
    return Mixed(mixed, layers, loss.measure, len(labels), loss(frozenset()), loss(kept))


class _Loss:
    """The loss with some layers in float; each choice is measured once.

    Attributes:
        measure: what it is.
        seen: the loss of every choice so far.
    """

    def __init__(
        self,
        parts: Quantization,
        batches: Iterable[NDArray[np.float32]],
        labels: NDArray[np.int64],
        io: Io,
        progress: Progress,
    ) -> None:
        self.measure: Measure = "top-1 drop" if (labels >= 0).all() else "disagreement"
        self.seen: dict[frozenset[str], float] = {}
        self._parts, self._batches, self._labels, self._io, self._progress = parts, batches, labels, io, progress
        self._float = self._answers(Evaluator(parts.model))

    def __call__(self, layers: frozenset[str]) -> float:
        """The loss, percentage points."""
        if layers not in self.seen:
            answers = self._answers(replace(self._parts, float_layers=layers).simulation(self._io))
            if self.measure == "disagreement":
                lost = np.count_nonzero(answers != self._float)
            else:
                lost = np.count_nonzero(self._float == self._labels) - np.count_nonzero(answers == self._labels)
            self.seen[layers] = 100 * int(lost) / len(answers)
        return self.seen[layers]

    def _answers(self, network: Evaluator | Simulation) -> NDArray[np.int64]:
        """The first of the largest logits, as argmax has it in both runtimes' files."""
        import torch  # noqa: PLC0415  # slow to import

        answers: list[NDArray[np.int64]] = []
        with torch.no_grad():
            for batch in self._batches:
                self._progress("choosing float layers", sum(map(len, answers)), len(self._labels))
                answers.append(network(torch.from_numpy(batch)).flatten(1).numpy().argmax(axis=1))
        return np.concatenate(answers)


def _ranked(
    parts: Quantization, batches: Iterable[NDArray[np.float32]], count: int, io: Io, progress: Progress
) -> list[str]:
    """The layers that float changes, by the noise that it takes away, the most first."""
    few = islice(batches, 0, None, -(-count // IMAGES))
    found = sensitivity(parts, few, progress, min(count, IMAGES)).parts
    nodes = {str(node.outputs[0].name): node for node in parts.model.graph if node.op_type in LINEAR}
    rounded = {part.name for part in found if part.kind == "weights"}
    noise = {name: _noise(found, name, real_values(parts.model, {name}, io)) for name in rounded if _may(nodes[name])}
    return sorted(noise, key=lambda name: -noise[name])


def _noise(parts: Iterable[Part], layer: str, real: frozenset[str]) -> float:
    """The noise that keeping one layer in float takes away, in units of the signal: its weights', and its output's
    where that is not rounded any more.
    """
    away = {("weights", layer), *(("activation", name) for name in real)}
    return sum(
        10 ** (-part.snr_db / 10) for part in parts if part.snr_db is not None and (part.kind, part.name) in away
    )


def _may(node: ir.Node) -> bool:
    """Whether what it reads can be dequantized per channel (rule 5 of `normal_form`)."""
    return max(shape_of(operand(node))[1:]) > 1


def _layer(node: ir.Node, buys_pp: float) -> KeptLayer:
    weights = required_constant(node, 1, "weight").size
    return KeptLayer(str(node.outputs[0].name), node.op_type, module_path(node), buys_pp, weights * _KIB_PER_WEIGHT)


def _unmet(seen: dict[frozenset[str], float], measure: Measure, images: int, max_drop_pp: float) -> DropError:
    best = min(seen, key=lambda layers: (seen[layers], len(layers)))
    return DropError(
        f"no choice of float layers meets --max-drop {max_drop_pp:g}: the best that was tried, {len(best)} layers in "
        f"float, has a {measure} of {seen[best]:.2f} pp on {images} calibration images ({seen[frozenset()]:.2f} pp "
        "with every layer in int8)",
        hint="Activations are rounded all the same: try --recipe default, more --samples, or a higher limit.",
    )
