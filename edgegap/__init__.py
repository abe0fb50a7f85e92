"""EdgeGAP: one int8 quantization of a GAP-headed CNN, written as ONNX and as TFLite.

Importing this package imports neither torch nor onnx.
"""

__version__ = "0.1.0"
