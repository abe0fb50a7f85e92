"""Do two artifacts of one quantization give the same integers?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.images import ImageSet
from edgegap.check.predict import Prediction, predict
from edgegap.check.taps import integer_nodes, save_tapped
from edgegap.graph.nodes import describe, operand
from edgegap.progress import Progress
from edgegap.quantize.parameters import SIGNED, Grid
from edgegap.quantize.signed import unsigned
from edgegap.tflite import tensor_names


@dataclass(frozen=True)
class Identity:
    """A comparison of output integers on the signed grid.

    Args:
        artifacts: the two files.
        runtimes: that they ran in.
        targets: that they ran on.
        compared: how many integers.
        different: how many of them differ.
        max_lsb: the largest difference.
        bound_lsb: the largest difference that is allowed; None where only measured.
        first_layer: the first layer that differs, where that was looked for.
    """

    artifacts: tuple[str, str]
    runtimes: tuple[str, str]
    targets: tuple[str, str]
    compared: int
    different: int
    max_lsb: int
    bound_lsb: int | None
    first_layer: str | None = None

    @property
    def holds(self) -> bool:
        """Whether no integer differs by more than the bound."""
        return self.bound_lsb is None or self.max_lsb <= self.bound_lsb

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def compare(
    names: tuple[str, str],
    runtimes: tuple[str, str],
    integers: tuple[NDArray[np.int16], NDArray[np.int16]],
    *,
    target: str,
    bound_lsb: int | None,
    first_layer: str | None = None,
) -> Identity:
    """Compare the signed integers [n, classes] that two artifacts gave for the same images."""
    difference = np.abs(integers[0].astype(np.int32) - integers[1])
    return Identity(
        names,
        runtimes,
        (target, target),
        int(difference.size),
        int((difference != 0).sum()),
        int(difference.max(initial=0)),
        bound_lsb,
        first_layer,
    )


def first_difference(
    onnx: Path, tflite: Path, images: ImageSet, input_grid: Grid | None, folder: Path, progress: Progress
) -> str | None:
    """The first layer, in the order of the ONNX file, whose integers differ between the two int8 artifacts.

    Both run once more with every activation brought back: LiteRT preserves its tensors, ONNX Runtime runs a copy of the
    file whose integer activations are outputs too.

    Args:
        onnx: the int8 ONNX artifact.
        tflite: its twin.
        images: to run; few are enough.
        input_grid: of the integers that both take; None where they take floats.
        folder: for the tapped copy.
        progress: told how far it is.

    Returns:
        What to call the layer, or None where no tensor differs.
    """
    model = ir.load(onnx)
    shared = tensor_names(tflite)
    taps = {name: node for name, node in integer_nodes(model).items() if name in shared}
    tapped = folder / "tapped.onnx"
    save_tapped(model, (node.outputs[0] for node in taps.values()), tapped)
    a, b = predict([Prediction(path, images, input_grid, tensors=tuple(taps)) for path in (tapped, tflite)], progress)
    for name, node in taps.items():
        left = unsigned(a.tensors[name]).astype(np.int16) - SIGNED
        right = b.tensors[name].astype(np.int16)
        if right.ndim == 4:
            right = right.transpose(0, 3, 1, 2)
        if left.shape == right.shape and not np.array_equal(left, right):
            computed = operand(node).producer() if node.op_type == "QuantizeLinear" else node
            where = describe(computed or node)
            share = 100 * float((left != right).mean())
            return f"{where}: {share:.2g} % of its integers differ, by at most {int(np.abs(left - right).max())}"
    return None
