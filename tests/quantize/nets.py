"""Small networks of the ops' tests, quantized."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from ops.harness import RECIPE, Net

from edgegap.graph.canonical import canonicalize
from edgegap.quantize.normal_form import Io
from edgegap.quantize.parameters import Grid
from edgegap.quantize.quantization import Quantized
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import Recipe
from edgegap.quantize.verify import grid_of

BIASED = Recipe("test", "", "mse", True)
"""Least squared error, with bias correction."""

FULL = Recipe("test", "", "margin", True, "gptq")
"""Every step there is."""


def images_of(net: Net, count: int = 4) -> np.ndarray:
    """float32 [count, C, H, W], of pixels through the net's table."""
    table = net.pixel_table()
    pixels = net.rng.integers(0, 256, (count, *net.shape[1:]))
    return table[np.arange(net.shape[1])[None, :, None, None], pixels]


def canonical(net: Net, output: str) -> ir.Model:
    return canonicalize(ir.from_proto(net.in_opset(output, 18)), net.shape)


def quantized(net: Net, output: str, *, recipe: Recipe = RECIPE, io: Io = "int8") -> Quantized:
    table = Net(net.shape).pixel_table()
    pixels = net.rng.integers(0, 256, net.shape)
    images = table[np.arange(net.shape[1])[None, :, None, None], pixels]
    return quantize(canonical(net, output), [images], recipe, table=table, io=io)


def grids_of(model: ir.Model, op: str) -> list[tuple[list[Grid | None], Grid | None]]:
    """The grids of the inputs and of the output of every node of an op, in order."""
    found = []
    for node in model.graph:
        if node.op_type == op:
            reader = next(iter(node.outputs[0].consumers()), None)
            y = reader.outputs[0] if reader is not None and reader.op_type == "QuantizeLinear" else node.outputs[0]
            found.append(([grid_of(value) for value in node.inputs if value is not None], grid_of(y)))
    return found


def first(model: ir.Model, op: str, that: Callable[[ir.Node], bool] = lambda _: True) -> ir.Node:
    return next(node for node in model.graph if node.op_type == op and that(node))
