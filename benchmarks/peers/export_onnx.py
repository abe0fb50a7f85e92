"""The float ONNX that the peers without a PyTorch entrance start from, by PyTorch's own exporter.

python export_onnx.py DATA FACTORY WEIGHTS.pt CALIBRATION.npy OUT.onnx
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from trained import network

*trained, calibration, output = sys.argv[1:]
example = torch.from_numpy(np.load(calibration, mmap_mode="r")[:1].copy())
torch.onnx.export(
    network(*trained),
    (example,),
    output,
    dynamo=True,
    external_data=False,
    input_names=["input"],
    output_names=["logits"],
    verbose=False,
)
