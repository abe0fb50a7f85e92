"""A small network as float.onnx and int8.onnx, and images for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from ops.harness import RECIPE, Net

from edgegap.check.images import ImageSet
from edgegap.check.predict import OutputGrid
from edgegap.graph.canonical import canonicalize
from edgegap.quantize.normal_form import Io
from edgegap.quantize.parameters import Grid
from edgegap.quantize.quantize import quantize
from edgegap.quantize.verify import grid_of


@dataclass(frozen=True)
class Twins:
    """The two files of one quantization, and the images that it was calibrated on."""

    network: Path
    artifact: Path
    images: ImageSet
    input_grid: Grid | None
    output_grid: OutputGrid

    def float_values(self) -> NDArray[np.float32]:
        return self.images.values()


def save_twins(net: Net, output: str, folder: Path, *, n: int = 12, io: Io = "float") -> Twins:
    """Quantize the network that ends in `output` on `n` random images and save both files."""
    table = net.pixel_table()
    _, c, h, w = net.shape
    np.save(folder / "images.npy", np.random.default_rng(1).integers(0, 256, (n, h, w, c), np.uint8))
    names = tuple(f"image {k}" for k in range(n))
    images = ImageSet(folder / "images.npy", np.arange(n) % 3, names, table, (c, h, w))
    canonical = canonicalize(ir.from_proto(net.in_opset(output, 18)), (1, *net.shape[1:]))
    quantized = quantize(canonical, [images.values()], RECIPE, table=table, io=io)
    ir.save(canonical, folder / "float.onnx")
    ir.save(quantized.model, folder / "int8.onnx")
    grid = grid_of(quantized.model.graph.outputs[0])
    assert grid is not None
    given = quantized.input_grid if io == "int8" else None
    return Twins(
        folder / "float.onnx", folder / "int8.onnx", images, given, OutputGrid(grid.scale, grid.zero_point - 128)
    )
