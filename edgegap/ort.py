"""ONNX Runtime in this process: imported late, without telemetry, quiet."""

from __future__ import annotations

import os
from typing import Any


def session(model: bytes | str) -> Any:
    """An InferenceSession of a float model on the CPU: serialized, or the path of a file (with its external data).

    Int8 artifacts never run here but in the runner, which sets the options that they need.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort  # noqa: PLC0415  # slow to import, and its telemetry must be off before

    options = ort.SessionOptions()
    options.log_severity_level = 3
    # Threads that spin between single images take from NumPy what they gain.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
