"""quantization.json: a readable view of what the QDQ model holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import constant, module_path, operand, sole_consumer
from edgegap.quantize.input_grid import pixel_integers
from edgegap.quantize.lower import ACTIVATIONS, ARITHMETIC
from edgegap.quantize.parameters import SIGNED, Grid
from edgegap.quantize.verify import grid_of


def quantization_view(model: ir.Model, input_grid: Grid, table: NDArray[np.float32] | None) -> dict[str, Any]:
    """The quantization as JSON; integers are on the signed grid (-128..127), as TFLite has them.

    Args:
        model: in normal form.
        input_grid: of its input.
        table: float32 [C, 256], the value of every pixel; None where the input is not 8-bit images.

    Returns:
        'input': its grid and, for 8-bit images, the integer of every pixel of every channel; 'layers': one entry for
        each op that computes, with the grid of its output and the extent of its weight scales. A layer that stays in
        float has no weight scales, and no grid where its output is not quantized.
    """
    view: dict[str, Any] = {"schema": "edgegap.quantization/1", "input": _grid(input_grid)}
    if table is not None:
        integers = pixel_integers(table, input_grid).astype(int) - SIGNED
        view["input"]["pixel_integers"] = integers.tolist()
    view["layers"] = [_layer(node) for node in model.graph if node.op_type in ARITHMETIC]
    return view


def _layer(node: ir.Node) -> dict[str, Any]:
    quantize = sole_consumer(node.outputs[0])
    if quantize is not None and quantize.op_type in ACTIVATIONS:  # of a layer in float
        quantize = sole_consumer(quantize.outputs[0])
    grid = None if quantize is None else grid_of(quantize.outputs[0])
    layer: dict[str, Any] = {
        "name": str(node.outputs[0].name),
        "op": node.op_type,
        "module": module_path(node),
        "output": None if grid is None else _grid(grid),
    }
    if node.op_type in ("Conv", "Gemm"):
        dequantize = operand(node, 1).producer()
        scales = None if dequantize is None else constant(dequantize.inputs[1])
        if scales is not None:
            layer["weight_scales"] = {"min": float(scales.min()), "max": float(scales.max()), "channels": len(scales)}
    return layer


def _grid(grid: Grid) -> dict[str, Any]:
    return {"scale": grid.scale, "zero_point": grid.zero_point - SIGNED, "lo": grid.lo, "hi": grid.hi}
