"""A QDQ `.onnx` made elsewhere: its own quantization, brought into normal form."""

from edgegap.qdq.importing import import_qdq
from edgegap.qdq.read import Qdq, is_quantized, read_qdq

__all__ = ["Qdq", "import_qdq", "is_quantized", "read_qdq"]
