"""QDQ files of other quantizers, and what an import of them gives in both runtimes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from ops.harness import Net
from tflite.runtimes import interpreter_of, nhwc, outside_xnnpack

from edgegap.graph.load import checked
from edgegap.qdq import import_qdq, read_qdq
from edgegap.quantize.bounds import Inexact, inexact_ops
from edgegap.quantize.quantization import Quantized
from edgegap.quantize.verify import grid_of
from edgegap.tflite import write_tflite

Array = NDArray[Any]


def images_of(net: Net, count: int = 8) -> Array:
    """float32 [count, C, H, W], of pixels through the net's table."""
    pixels = net.rng.integers(0, 256, (count, *net.shape[1:]))
    return table_of(net)[np.arange(net.shape[1])[None, :, None, None], pixels]


def table_of(net: Net) -> Array:
    """The table of every net of this shape: pixel values that no test's scale puts on a tie."""
    return Net(net.shape).pixel_table()


class _Images(CalibrationDataReader):
    def __init__(self, name: str, images: Array) -> None:
        self._feeds = iter([{name: image[None]} for image in images])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._feeds, None)


def by_onnxruntime(
    model: onnx.ModelProto,
    images: Array,
    folder: Path,
    *,
    activation: QuantType = QuantType.QUInt8,
    weight: QuantType = QuantType.QInt8,
    per_channel: bool = True,
    **extra: Any,
) -> onnx.ModelProto:
    """The file that ONNX Runtime's quantize_static makes; `extra` are its extra options."""
    logging.disable(logging.WARNING)  # it advises to preprocess
    try:
        quantize_static(
            onnx.ModelProto.FromString(model.SerializeToString()),  # it moves the weights out of its argument
            folder / "qdq.onnx",
            _Images(model.graph.input[0].name, images),
            quant_format=QuantFormat.QDQ,
            activation_type=activation,
            weight_type=weight,
            per_channel=per_channel,
            extra_options=extra,
        )
    finally:
        logging.disable(logging.NOTSET)
    return onnx.load(folder / "qdq.onnx")


class QdqNet(Net):
    """A net whose nodes a test puts QuantizeLinear and DequantizeLinear between by hand."""

    def pair(self, x: str, scale: float, zero_point: int = 128, dtype: Any = np.uint8) -> str:
        """Quantize and dequantize an activation."""
        parameters = self.parameters(scale, zero_point, dtype)
        return self.op("DequantizeLinear", [self.op("QuantizeLinear", [x, *parameters]), *parameters])

    def parameters(self, scale: Any, zero_point: Any, dtype: Any) -> list[str]:
        return [self.constant(np.asarray(scale, np.float32)), self.constant(np.asarray(zero_point, dtype))]

    def weight(self, shape: tuple[int, ...], *, axis: int = 0, dtype: Any = np.int8, zero_point: int = 0) -> str:
        """A dequantized weight with one scale per channel of `axis`."""
        integers = self.rng.integers(-127, 128, shape) + (128 if dtype == np.uint8 else 0)
        scale = self.rng.uniform(0.002, 0.004, shape[axis])
        zeros = np.full(shape[axis], zero_point)
        inputs = [self.constant(integers.astype(dtype)), *self.parameters(scale, zeros, dtype)]
        return self.op("DequantizeLinear", inputs, axis=axis)

    def file(self, output: str, opset: int = 18) -> onnx.ModelProto:
        return self.in_opset(output, opset)


@dataclass(frozen=True)
class Imported:
    """An imported file that ran: the integers of the file itself, and of our two.

    Args:
        quantized: the import.
        file: integers of the file in ONNX Runtime.
        ours: of its normal form in ONNX Runtime.
        theirs: of the TFLite file in LiteRT.
        inexact: the ops that are not exact.
        outside: ops that XNNPACK does not take.
    """

    quantized: Quantized
    file: Array
    ours: Array
    theirs: Array
    inexact: list[Inexact]
    outside: list[str]

    def ops(self) -> list[str]:
        return [n.op_type for n in self.quantized.model.graph if "uantizeLinear" not in n.op_type]


def _in_onnxruntime(model: onnx.ModelProto, images: Array) -> Array:
    """Outputs for images one by one, rank 4 as NHWC."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(model.SerializeToString(), options)
    name = session.get_inputs()[0].name
    return np.concatenate([nhwc(session.run(None, {name: image[None]})[0]) for image in images])


def _in_litert(data: bytes, images: Array) -> Array:
    interpreter = interpreter_of(data, keep_all=False)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for image in images:
        interpreter.set_tensor(source["index"], nhwc(image[None]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target["index"]))
    return np.concatenate(rows)


def imported(
    proto: onnx.ModelProto, images: Array, table: Array | None, *, resnap: bool = False, least_values: int = 6
) -> Imported:
    """Import a file and run it and both of ours over images, one by one."""
    model = checked(ir.from_proto(proto), "file.onnx")
    quantized = import_qdq(read_qdq(model, (1, *images.shape[1:])), table=table, resnap=resnap)
    grid = grid_of(quantized.model.graph.outputs[0])
    assert grid is not None
    data = write_tflite(quantized.model)
    ours = ir.to_proto(quantized.model)
    runs = _in_onnxruntime(proto, images), _in_onnxruntime(ours, images), _in_litert(data, images)
    integers = [np.rint(y / grid.scale).astype(int) for y in runs]
    assert len(np.unique(integers[0])) >= least_values, "the test's own data are useless"
    inexact = inexact_ops(quantized.model, table)
    return Imported(quantized, *integers, inexact, sorted(outside_xnnpack(data).elements()))
