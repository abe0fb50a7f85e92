"""ONNX (float, or quantized in normal form) to TFLite: the writer spells, it decides nothing."""

from __future__ import annotations

from edgegap.tflite.read import tensor_names
from edgegap.tflite.write import write_tflite

__all__ = ["tensor_names", "write_tflite"]
