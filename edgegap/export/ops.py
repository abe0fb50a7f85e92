"""What EdgeGAP supports: every probe of `edgegap.graph.supported`, taken through everything that an export does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import onnx_ir as ir

from edgegap.errors import ModelError
from edgegap.export.rehearsal import pixel_table, rehearse
from edgegap.graph.canonical import canonicalize
from edgegap.graph.supported import INPUT_SHAPE, PROBES, Probe
from edgegap.quantize.bounds import inexact_ops
from edgegap.tflite import write_tflite

_T = TypeVar("_T")

_BOUNDARY = {"QuantizeLinear", "DequantizeLinear"}
_TABLE = pixel_table(INPUT_SHAPE[1])


@dataclass(frozen=True)
class Support:
    """What becomes of one form of an op.

    Args:
        op: the ONNX op.
        form: which form of it; '' where there is only one.
        float_as: the ops that the float files have in its place, each once; none where it folds into its neighbours,
            None where it is refused.
        int8_as: those of the int8 files.
        files: which of float.onnx, float.tflite, int8.onnx and int8.tflite can be written.
        bound_lsb: by how much the integers of int8.onnx and int8.tflite may differ; 0 is exact; None where there are
            not both files, or no bound is known.
        why: why a file cannot be written, or why the bound is not 0.
        hint: what to do in its place.
    """

    op: str
    form: str
    float_as: tuple[str, ...] | None
    int8_as: tuple[str, ...] | None
    files: tuple[str, ...]
    bound_lsb: int | None
    why: str | None
    hint: str | None


def supported_ops() -> dict[str, Any]:
    """The record 'edgegap.ops/1'."""
    rows = [asdict(support_of(probe)) for probe in PROBES]
    made_of = ("float_as", "int8_as")
    return {
        "schema": "edgegap.ops/1",
        "ops": [
            row | {"files": list(row["files"])} | {key: row[key] and list(row[key]) for key in made_of} for row in rows
        ],
    }


def support_of(probe: Probe) -> Support:
    """Take one probe through the passes, the quantizer and the TFLite writer."""
    refused: list[ModelError] = []

    def attempt(step: Callable[[], _T]) -> _T | None:
        try:
            return step()
        except ModelError as error:
            refused.append(error)
            return None

    canonical = attempt(lambda: canonicalize(probe.model(), INPUT_SHAPE))
    if canonical is None:
        return Support(probe.op, probe.form, None, None, (), None, refused[0].what, refused[0].hint)
    files, bound, why = ["float.onnx"], None, None
    if attempt(lambda: write_tflite(canonical)):
        files.append("float.tflite")
    quantized = attempt(lambda: rehearse(canonical, _TABLE).model)
    if quantized is not None:
        files.append("int8.onnx")
        if attempt(lambda: write_tflite(quantized)):
            files.append("int8.tflite")
            bound, why = _bound(quantized)
    return Support(
        probe.op,
        probe.form,
        _made_of(canonical, probe),
        None if quantized is None else _made_of(quantized, probe),
        tuple(files),
        bound,
        refused[0].what if refused else why,
        refused[0].hint if refused else None,
    )


def _bound(quantized: ir.Model) -> tuple[int | None, str | None]:
    """The largest bound of a model's ops, and why it is not 0."""
    inexact = inexact_ops(quantized, _TABLE)
    if not inexact:
        return 0, None
    known = [op.lsb for op in inexact if op.lsb is not None]
    return (max(known) if len(known) == len(inexact) else None), inexact[0].why


def _made_of(model: ir.Model, probe: Probe) -> tuple[str, ...]:
    """The ops of a probe's model but for what stands around, each once, in the graph's order."""
    return tuple(Counter(node.op_type for node in model.graph if node.op_type not in _BOUNDARY) - probe.scaffold)
