"""An `.onnx` file in, float or QDQ: read it, and refuse what is not a classifier of one input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import CheckerPass, InlinePass, RemoveInitializersFromInputsPass

from edgegap.errors import ModelError, UnsupportedOpError
from edgegap.graph.joined import join_inputs
from edgegap.graph.lines import lift_input
from edgegap.graph.nodes import describe, keep_module_paths, shape_of
from edgegap.graph.opset import upgrade

OPSETS = range(13, 24)
"""The opsets that a file may have."""

_DYNAMIC = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")


def load_onnx(path: Path, say: Callable[[str], None] = lambda notice: None) -> ir.Model:
    """The model in an `.onnx` file.

    Args:
        path: of the file.
        say: told what was done to it.

    Raises:
        ModelError: the file is missing, is not ONNX, is truncated, has another opset, inputs that cannot become one,
            or a NaN or an infinity among its weights.
        UnsupportedOpError: the model is quantized, and not in the QDQ format.
    """
    try:
        model = ir.load(path)
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    except Exception as error:  # protobuf and onnx_ir raise many kinds on a damaged file
        raise ModelError(
            "is not an ONNX file, or is damaged", where=str(path), hint="Export the network again, or give its .onnx."
        ) from error
    try:
        model = ir.external_data.load_to_model(model)
    except Exception as error:  # a file that is missing, too short, or outside the folder
        hint = "The file keeps its weights in a second file beside it: copy both."
        raise ModelError(f"cannot be read: {_reason(error)}", where=str(path), hint=hint) from error
    try:
        model = checked(model, str(path), say)
        CheckerPass()(model)
        return model
    except ModelError:
        raise
    except Exception as error:  # a damaged file may parse and still hold nonsense
        what = f"is not valid ONNX: {_reason(error)}"
        raise ModelError(what, where=str(path), hint="Export the network again.") from error


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def checked(model: ir.Model, where: str, say: Callable[[str], None] = lambda notice: None) -> ir.Model:
    """`model`, its functions inlined and an older opset spelled as 18, once it is known to be a network of one input.

    Args:
        model: changed in place.
        where: what to call it in messages.
        say: told what was done to it.

    Raises:
        ModelError, UnsupportedOpError: as `load_onnx`.
    """
    if "ai.onnx" in model.opset_imports:  # the other name of ONNX's own domain
        model.opset_imports[""] = model.opset_imports.pop("ai.onnx")
    opset = model.opset_imports.get("", 0)
    if opset not in OPSETS:
        hint = f"Export it with an opset from {OPSETS.start} to {OPSETS.stop - 1}, such as opset_version=18."
        raise ModelError(f"has opset {opset}", where=where, hint=hint)
    if model.functions:
        InlinePass()(model)
    upgrade(model)
    RemoveInitializersFromInputsPass()(model)
    keep_module_paths(model)
    if not list(model.graph):
        raise ModelError("has no nodes", where=where, hint="Is this the file that the exporter wrote?")
    joined = join_inputs(model, where)
    if joined is not None:
        say(joined)
    for node in model.graph:
        if node.op_type in _DYNAMIC or node.op_type.startswith(("QLinear", "QGemm")):
            dynamic = node.op_type in _DYNAMIC
            hint = "Quantize it in the QDQ format" + (", statically, with calibration images." if dynamic else ".")
            raise UnsupportedOpError(
                f"the network is quantized {'dynamically' if dynamic else 'in the operator format'}",
                where=f"{where}, {describe(node)}",
                hint=f"{hint} Or give the float network.",
            )
    for name, value in model.graph.initializers.items():
        if value.const_value is None:
            raise ModelError(f"the tensor '{name}' has no data", where=where, hint="Export the network again.")
        array = value.const_value.numpy()
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            kind = "NaN" if np.isnan(array).any() else "infinity"
            raise ModelError(
                f"the weights '{name}' hold {kind}", where=where, hint="Was the training stable to its end?"
            )
    lift_input(model)
    return model


def batch_of(model: ir.Model) -> int | str:
    """The batch of the model's input: a number, or the name of a dynamic one."""
    shape = model.graph.inputs[0].shape
    batch = shape[0] if shape else None
    return batch if isinstance(batch, int) else str(batch or "dynamic")


def static_input_shape(model: ir.Model) -> tuple[int, int, int] | None:
    """C, H, W of the model's input, or None where one of them is dynamic."""
    shape = model.graph.inputs[0].shape
    if shape is None or len(shape) != 4 or not all(isinstance(d, int) for d in list(shape)[1:]):
        return None
    model.graph.inputs[0].shape = ir.Shape([1, *list(shape)[1:]])
    _, c, h, w = shape_of(model.graph.inputs[0])
    return c, h, w
