"""What a user would do instead: ONNX Runtime's own quantizer, as its guide says. From weights to one int8 .onnx.

python benchmarks/ort_quantize.py DATA FACTORY WEIGHTS.pt CALIBRATION OUT.onnx

torch.onnx.export (dynamo), quant_pre_process, quantize_static with uint8 activations (min-max) and int8 weights per
channel, 256 images read one at a time. Imports nothing of edgegap: `export_cost.py` times this process whole.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image

IMAGES = 256
CROP = 224
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NORMALIZE: dict[str, tuple[tuple[float, ...], tuple[float, ...]] | None] = {
    "resnet20": IMAGENET,
    "nin": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "resnet8": None,
    "mobilenet_v2": IMAGENET,
    "squeezenet1_1": IMAGENET,
}


class Reader(CalibrationDataReader):
    """Calibration images as ONNX Runtime asks for them."""

    def __init__(self, images: Iterator[np.ndarray]) -> None:
        self.images = images

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next image under the input's name."""
        image = next(self.images, None)
        return None if image is None else {"input": image}


def values(pixels: np.ndarray, factory: str) -> np.ndarray:
    """Pixels uint8 [H, W, 3] as the network takes them: float32 [1, 3, H, W]."""
    x = pixels.astype(np.float32)
    normalize = NORMALIZE[factory]
    if normalize is not None:
        mean, std = (np.array(numbers, np.float32) for numbers in normalize)
        x = (x / np.float32(255) - mean) / std
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None])


def photos(folder: Path) -> Iterator[np.ndarray]:
    """The centre of the first photos of a folder."""
    for path in sorted(folder.glob("*/*"))[:IMAGES]:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        top, left = ((size - CROP) // 2 for size in pixels.shape[:2])
        yield pixels[top : top + CROP, left : left + CROP]


def main() -> None:
    """Export, prepare, quantize."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the data folder")
    parser.add_argument("factory", choices=NORMALIZE)
    parser.add_argument("weights", type=Path)
    parser.add_argument("calibration", type=Path, help="an .npz, or a folder of photos")
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()

    sys.path.insert(0, str(arguments.data))
    network: torch.nn.Module = getattr(__import__("networks"), arguments.factory)()
    network.load_state_dict(torch.load(arguments.weights, weights_only=True))
    archive = arguments.calibration.suffix == ".npz"
    images = iter(np.load(arguments.calibration)["images"][:IMAGES]) if archive else photos(arguments.calibration)
    size = 32 if archive else CROP
    settings: dict[str, Any] = {
        "quant_format": QuantFormat.QDQ,
        "per_channel": True,
        "activation_type": QuantType.QUInt8,
        "weight_type": QuantType.QInt8,
    }
    with tempfile.TemporaryDirectory() as name:
        exported, prepared = Path(name) / "float.onnx", Path(name) / "prepared.onnx"
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 3, size, size),),
            exported,
            dynamo=True,
            external_data=False,
            input_names=["input"],
            output_names=["logits"],
            verbose=False,
        )
        quant_pre_process(exported, prepared)
        reader = Reader(values(pixels, arguments.factory) for pixels in images)
        quantize_static(prepared, arguments.output, reader, **settings)


if __name__ == "__main__":
    main()
