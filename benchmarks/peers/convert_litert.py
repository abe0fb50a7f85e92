"""litert-torch to a float TFLite, then ai-edge-quantizer's static int8 recipe with its default calibration.

python convert_litert.py DATA FACTORY WEIGHTS.pt CALIBRATION.npy OUT.tflite
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import litert_torch
import numpy as np
import torch
from ai_edge_quantizer import quantizer, recipe
from trained import network

*trained, calibration, output = sys.argv[1:]
images = np.load(calibration, mmap_mode="r").transpose(0, 2, 3, 1)
channels_last = litert_torch.to_channel_last_io(network(*trained), args=[0]).eval()
with tempfile.TemporaryDirectory() as folder:
    model = str(Path(folder) / "float.tflite")
    litert_torch.convert(channels_last, (torch.from_numpy(images[:1].copy()),)).export(model)
    quantizer_ = quantizer.Quantizer(model)
    quantizer_.load_quantization_recipe(recipe.static_wi8_ai8())
    statistics = quantizer_.calibrate({"serving_default": [{"args_0": image[np.newaxis]} for image in images]})
    quantizer_.quantize(statistics).export_model(output, overwrite=True)
