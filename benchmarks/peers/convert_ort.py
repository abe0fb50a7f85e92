"""ONNX Runtime's own quantizer, as its guide says: quant_pre_process, then quantize_static with uint8 activations.

python convert_ort.py FLOAT.onnx CALIBRATION.npy OUT.onnx METHOD

METHOD: MinMax or Percentile (of calibrate_method). uint8, because with int8 activations (its default) ONNX Runtime runs
a part of the convolutions in float on x86.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class Reader(CalibrationDataReader):
    """Calibration images one at a time."""

    def __init__(self, images: Iterator[np.ndarray]) -> None:
        self.images = images

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next image under the input's name."""
        image = next(self.images, None)
        return None if image is None else {"input": image[np.newaxis]}


model, calibration, output, method = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    prepared = Path(folder) / "prepared.onnx"
    quant_pre_process(model, prepared)
    quantize_static(
        prepared,
        output,
        Reader(iter(np.load(calibration, mmap_mode="r"))),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod[method],
    )
