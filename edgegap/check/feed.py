"""What an artifact is fed: float values, or the integers of a quantized input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.images import MAKE_ROOM, ImageSet
from edgegap.disk import disk_errors
from edgegap.quantize.input_grid import pixel_integers
from edgegap.quantize.parameters import Grid
from edgegap.quantize.signed import signed


@dataclass(frozen=True)
class Feed:
    """The inputs of one artifact.

    Args:
        path: a .npy file: uint8 pixels [n, H, W, C], or values [n, C, H, W] in the artifact's input type.
        table: [C, 256] in the artifact's input type, what every pixel becomes; None for values.
    """

    path: Path
    table: NDArray[np.generic] | None


def feed(images: ImageSet, artifact: Path, grid: Grid | None) -> Feed:
    """How `images` reach an artifact.

    Args:
        images: pixels or values.
        artifact: an .onnx takes integers as uint8 or int8, a .tflite as int8: the same grid, 128 apart.
        grid: of the artifact's input integers; None where it takes floats.
    """
    if grid is None:
        return Feed(images.path, images.table)
    if images.table is not None:
        return Feed(images.path, _typed(pixel_integers(images.table, grid), artifact))
    path = images.path.with_name(f"integers{artifact.suffix}.npy")
    with disk_errors(path, MAKE_ROOM):
        np.save(path, _typed(grid.quantize(images.values()), artifact))
    return Feed(path, None)


def _typed(integers: NDArray[np.uint8], artifact: Path) -> NDArray[np.generic]:
    unsigned = artifact.suffix == ".onnx" and ir.load(artifact).graph.inputs[0].dtype == ir.DataType.UINT8
    return integers if unsigned else signed(integers)
