"""torchao's PT2E with its X86InductorQuantizer, then PyTorch's own ONNX exporter.

python convert_pt2e.py DATA FACTORY WEIGHTS.pt CALIBRATION.npy OUT.onnx
"""

from __future__ import annotations

import sys

import numpy as np
import torch
import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from trained import network

*trained, calibration, output = sys.argv[1:]
images = torch.from_numpy(np.load(calibration))
quantizer = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
prepared = prepare_pt2e(torch.export.export(network(*trained), (images[:1],), strict=False).module(), quantizer)
with torch.no_grad():
    for image in images:
        prepared(image[None])
# Folded weights are int8 constants, for whose dequantize the exporter has no ONNX form.
quantized = convert_pt2e(prepared, fold_quantize=False)
torch.onnx.export(
    quantized,
    (images[:1],),
    output,
    dynamo=True,
    external_data=False,
    input_names=["input"],
    output_names=["logits"],
    verbose=False,
)
