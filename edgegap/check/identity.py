"""Do two artifacts of one quantization give the same integers?"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.images import ImageSet
from edgegap.check.predict import Party, Prediction, predict_on
from edgegap.check.taps import integer_nodes, save_tapped
from edgegap.graph.nodes import describe, operand
from edgegap.progress import Progress
from edgegap.quantize.parameters import SIGNED, Grid
from edgegap.quantize.signed import unsigned
from edgegap.run import Device, Result
from edgegap.run.job import Runtime
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
    integers: tuple[NDArray[Any], NDArray[Any]],
    *,
    targets: tuple[str, str],
    bound_lsb: int | None,
    first_layer: str | None = None,
) -> Identity:
    """Compare the signed integers [n, classes] that two artifacts gave for the same images; steps are rounded."""
    left, right = (np.rint(each).astype(np.int32) for each in integers)
    difference = np.abs(left - right)
    return Identity(
        names,
        runtimes,
        targets,
        int(difference.size),
        int((difference != 0).sum()),
        int(difference.max(initial=0)),
        bound_lsb,
        first_layer,
    )


@dataclass(frozen=True)
class Side:
    """An int8 artifact of a bundle where it ran.

    Args:
        artifact: the file.
        runtime: that ran it.
        devices: that it ran on.
    """

    artifact: Path
    runtime: Runtime
    devices: Sequence[Device]


def first_difference(
    onnx: Path,
    sides: tuple[Side, Side],
    images: ImageSet,
    input_grid: Grid | None,
    folder: Path,
    progress: Progress,
    among: Container[str] | None = None,
) -> str | None:
    """The first layer, in the order of the ONNX file, whose integers differ between two runs of a quantization.

    Both run once more with every activation brought back: LiteRT preserves its tensors, ONNX Runtime runs a copy of the
    file whose integer activations are outputs too.

    Args:
        onnx: the int8 ONNX artifact, which names the layers.
        sides: that or its TFLite twin, each somewhere.
        images: to run; few are enough.
        input_grid: of the integers that both take; None where they take floats.
        folder: for the tapped copy.
        progress: told how far it is.
        among: the activations to look at; all if None.

    Returns:
        What to call the layer, or None where no tensor differs.
    """
    model = ir.load(onnx)
    taps = {name: node for name, node in integer_nodes(model).items() if among is None or name in among}
    for side in sides:
        if side.artifact.suffix == ".tflite":
            shared = tensor_names(side.artifact)
            taps = {name: node for name, node in taps.items() if name in shared}
    tapped = folder / "tapped.onnx"
    save_tapped(model, (node.outputs[0] for node in taps.values()), tapped)
    names = tuple(taps)
    parties = [
        Party(
            [
                Prediction(
                    tapped if side.artifact.suffix == ".onnx" else side.artifact,
                    images,
                    input_grid,
                    tensors=names,
                    runtime=side.runtime,
                )
            ],
            side.devices,
        )
        for side in sides
    ]
    left, right = (_signed(predicted.results[0]) for predicted in predict_on(parties, progress))
    for name, node in taps.items():
        a, b = left[name], right[name]
        if a.shape == b.shape and not np.array_equal(a, b):
            computed = operand(node).producer() if node.op_type == "QuantizeLinear" else node
            where = describe(computed or node)
            share = 100 * float((a != b).mean())
            return f"{where}: {share:.2g} % of its integers differ, by at most {int(np.abs(a - b).max())}"
    return None


def _signed(result: Result) -> dict[str, NDArray[np.int16]]:
    """Tensors on the signed grid, NCHW."""
    signed = {}
    for name, tensor in result.tensors.items():
        integers = unsigned(tensor).astype(np.int16) - SIGNED
        nhwc = result.runtime != "onnxruntime" and integers.ndim == 4
        signed[name] = integers.transpose(0, 3, 1, 2) if nhwc else integers
    return signed
