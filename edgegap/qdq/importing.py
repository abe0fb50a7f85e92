"""From a QDQ model made elsewhere to one QDQ model in normal form, its parameters unchanged."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import constant, operand, unsupported
from edgegap.qdq.linear import stated_linear
from edgegap.qdq.read import Qdq
from edgegap.qdq.resnap import resnapped
from edgegap.qdq.stated import behind_activation, stated_grids
from edgegap.quantize.functions import PRESCRIBED
from edgegap.quantize.normal_form import Io
from edgegap.quantize.parameters import Grid, constant_grid
from edgegap.quantize.quantization import Quantization, Quantized

_SPANS = {"Add": (2.0**-10, 2.0**8), "Mul": (2.0**-16, 2.0**8)}
"""What XNNPACK takes between the step of an operand (of a product, for Mul) and of the output."""


def import_qdq(qdq: Qdq, *, table: NDArray[np.float32] | None, io: Io = "float", resnap: bool = False) -> Quantized:
    """The normal form of a QDQ model, which is only read.

    Args:
        qdq: what was read.
        table: float32 [C, 256], the value of every pixel; None where the input is not 8-bit images.
        io: whether the QDQ model takes and gives float values, or uint8 integers.
        resnap: whether grids and weights may change so that every op is exact; the notices say which did. Else every
            scale, zero point and integer stays as the file states it.

    Raises:
        UnsupportedOpError: what has no int8 form in both runtimes with the parameters of the file, naming the node.
    """
    lowered = stated_grids(qdq.model, clipping=resnap)
    notices: list[str] = []
    if resnap:
        grids, notices = resnapped(lowered, table)
    else:
        grids = lowered.grids | _constant_grids(lowered.model)
    linear, clipped = {}, 0
    for node in lowered.model.graph:
        name = str(node.outputs[0].name)
        if node.op_type in ("Conv", "Gemm"):
            inside = lowered.linear.get(name)
            linear[name], beyond = stated_linear(
                node,
                grids[str(operand(node).name)],
                grids[str(behind_activation(node).name)],
                qdq.weight_scales.get(inside or ""),
                qdq.biases.get(inside or ""),
                clipping=resnap,
            )
            clipped += beyond
        elif node.op_type in _SPANS:
            _refuse_far_apart(node, grids)
        elif node.op_type in PRESCRIBED:
            _refuse_another_grid(node, grids[name])
    if clipped:
        notices.append(f"--resnap changed {clipped} weight{'s' if clipped > 1 else ''} from -128 to -127")
    parts = Quantization(lowered.model, grids, linear)
    return Quantized(parts, parts.normal_form(io), tuple(notices), 0)


def _constant_grids(model: ir.Model) -> dict[str, Grid]:
    """Of the constant operands: grids that hold each of their values exactly, as the file's integers do."""
    grids = {}
    for node in model.graph:
        for value in node.inputs if node.op_type in _SPANS else ():
            array = constant(value)
            if value is not None and array is not None:
                grid = constant_grid(array)
                off = np.abs(grid.dequantize(grid.quantize(array)) - array).max() / grid.scale
                if off > 1e-3:
                    raise unsupported(node, "its constant is not quantized", "Quantize all of its inputs.")
                grids[str(value.name)] = grid
    return grids


def _refuse_another_grid(node: ir.Node, stated: Grid) -> None:
    wanted = PRESCRIBED[node.op_type]
    if stated != wanted:
        what = (
            f"its output has scale {stated.scale:.6g} and zero point {stated.zero_point}: TFLite computes it at "
            f"{wanted.scale:.6g} and {wanted.zero_point} only"
        )
        raise unsupported(node, what, "Let --resnap change its scales, or quantize it with EdgeGAP: --int8.")


def _refuse_far_apart(node: ir.Node, grids: dict[str, Grid]) -> None:
    steps = [grids[str(value.name)].scale for value in node.inputs if value is not None]
    output = grids[str(behind_activation(node).name)].scale
    least, below = _SPANS[node.op_type]
    for step in [steps[0] * steps[1]] if node.op_type == "Mul" else steps:
        if not least <= step / output < below:
            what = f"one step of its input is {step / output:.3g} steps of its output: XNNPACK does not take it"
            raise unsupported(node, what, "Let --resnap change its scales, or quantize it with EdgeGAP: --int8.")
