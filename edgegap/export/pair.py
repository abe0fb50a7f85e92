"""The two files of one model, ONNX and TFLite."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import onnx_ir as ir

from edgegap import __version__
from edgegap.bundle import weights_file
from edgegap.graph.shapes import set_batch
from edgegap.quantize.signed import with_int8_activations
from edgegap.tflite import write_tflite

LARGEST_FILE = 2**31 - 2**24
"""Bytes of float weights: beyond, float.onnx keeps them in a second file, and there is no float.tflite."""


def write_pair(
    model: ir.Model,
    precision: Literal["float", "int8"],
    folder: Path,
    *,
    batch: int,
    activation: Literal["uint8", "int8"],
) -> None:
    """Write `precision`.onnx and `precision`.tflite in `folder`.

    Args:
        model: canonical, or quantized in normal form; only read.
        precision: of which it is.
        folder: exists.
        batch: images per run.
        activation: the type of activations in int8.onnx.
    """
    bound = model.clone()
    set_batch(bound, batch)
    bound.producer_name, bound.producer_version = "edgegap", __version__
    onnx, tflite = (folder / f"{precision}.{form}" for form in ("onnx", "tflite"))
    arrays = (value.const_value for value in bound.graph.initializers.values())
    is_large = precision == "float" and sum(array.nbytes for array in arrays if array is not None) > LARGEST_FILE
    apart = weights_file(onnx).name if is_large else None
    lowered = precision == "int8" and activation == "int8"
    ir.save(with_int8_activations(bound) if lowered else bound, onnx, external_data=apart)
    if not is_large:
        tflite.write_bytes(write_tflite(bound, description=f"EdgeGAP {__version__}"))
