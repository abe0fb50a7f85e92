"""ONNX Runtime in this process: imported late, without telemetry, quiet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

_LARGE = 1024
"""Bytes: smaller tensors stay in the serialized model, where shape inference finds the target of a Reshape."""


def session(model: ir.Model | bytes | Path, *, fused: bool = True) -> Any:
    """An InferenceSession of a float model on the CPU.

    Int8 artifacts never run here but in the runner, which sets the options that they need.

    Args:
        model: only read, and its weights are not copied; or serialized, or a file (with its external data).
        fused: False to compute every node as it is written. Fused into integer kernels, the nodes of a QDQ model would
            saturate on CPUs with AVX2 and without VNNI.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort  # noqa: PLC0415  # slow to import, and its telemetry must be off before

    options = ort.SessionOptions()
    options.log_severity_level = 3
    # Threads that spin between single images take from NumPy what they gain.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not fused:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    weights: dict[str, Any] = {}
    if isinstance(model, ir.Model):
        model, arrays = _without_weights(model)
        weights = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        options.add_external_initializers(list(weights), list(weights.values()))
    source = str(model) if isinstance(model, Path) else model
    runner = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    runner.weights = weights  # it reads them where they are, and does not keep them alive
    return runner


def _without_weights(model: ir.Model) -> tuple[bytes, dict[str, np.ndarray[Any, Any]]]:
    """The model serialized without its large initializers, and these by name.

    Serialized with them, the weights would exist three times while a session is made, and stop at 2 GiB.
    """
    copy = model.clone()
    arrays = {}
    for name, value in copy.graph.initializers.items():
        tensor = value.const_value
        if isinstance(tensor, ir.ExternalTensor) and tensor.nbytes <= _LARGE:
            value.const_value = ir.tensor(tensor.numpy(), name=name)
        elif tensor is not None and tensor.nbytes > _LARGE:
            arrays[str(name)] = np.ascontiguousarray(tensor.numpy())
            shape = ir.Shape(arrays[str(name)].shape)
            value.const_value = ir.ExternalTensor("weights", 0, tensor.nbytes, tensor.dtype, shape=shape, name=name)
    serialized: bytes = ir.to_proto(copy).SerializeToString()
    return serialized, arrays
