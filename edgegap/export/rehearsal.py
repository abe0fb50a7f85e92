"""A quantization without calibration images: what an export would make, but for the numbers in it.

One image of noise stands for the images. Which op stands where, in which type and of which size does not depend on
them, but for the requantizes that some ranges ask for.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.nodes import shape_of
from edgegap.quantize.normal_form import Io
from edgegap.quantize.quantization import Quantized
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import Recipe

_RECIPE = Recipe("rehearsal", "Nothing that looks at more than ranges.", "minmax", False)


def pixel_table(channels: int) -> NDArray[np.float32]:
    """float32 [C, 256]: pixel values as most networks see them, -2 to 2."""
    return np.repeat(((np.arange(256) / 255 - 0.5) * 4).astype(np.float32)[None], channels, axis=0)


def rehearse(model: ir.Model, table: NDArray[np.float32], io: Io = "float") -> Quantized:
    """Quantize a canonical float model, which is only read, on one image of noise.

    Args:
        model: in canonical form.
        table: float32 [C, 256], the value of every pixel.
        io: whether the QDQ model takes and gives float values, or uint8 integers.

    Raises:
        UnsupportedOpError: naming the first node that has no int8 form.
        ModelError: an activation that is NaN or infinite.
    """
    _, channels, height, width = shape_of(model.graph.inputs[0])
    pixels = np.random.default_rng(0).integers(0, 256, (1, channels, height, width))
    image = table[np.arange(channels)[None, :, None, None], pixels]
    return quantize(model, [image], _RECIPE, table=table, io=io)
