"""AMD Quark for ONNX: uint8 activations by min-max, int8 weights per channel, its equalization and bias correction.

python convert_quark.py FLOAT.onnx CALIBRATION.npy OUT.onnx

Its preset A8W8 is symmetric int8 throughout and disagrees more on every network, so it is not the one compared.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from onnxruntime.quantization.calibrate import CalibrationDataReader
from quark.onnx import BiasCorrectionConfig, CLEConfig, ModelQuantizer, QConfig
from quark.onnx.quantization.config.spec import CalibMethod, Int8Spec, QLayerConfig, QuantGranularity, UInt8Spec


class Reader(CalibrationDataReader):
    """Calibration images one at a time, as often as Quark asks."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.reset_iter()

    def reset_iter(self) -> None:
        """Start anew."""
        self.left: Iterator[np.ndarray] = iter(self.images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next image under the input's name."""
        image = next(self.left, None)
        return None if image is None else {"input": image[np.newaxis]}


model, calibration, output = sys.argv[1:]
activation, weight = UInt8Spec(), Int8Spec()
activation.set_symmetric(False)
activation.set_calibration_method(CalibMethod.MinMax)
weight.set_symmetric(True)
weight.set_quant_granularity(QuantGranularity.Channel)
config = QConfig(
    global_config=QLayerConfig(activation=activation, weight=weight),
    algo_config=[CLEConfig(cle_steps=2), BiasCorrectionConfig()],
)
ModelQuantizer(config).quantize_model(model, output, Reader(np.load(calibration)))
