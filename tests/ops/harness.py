"""From a small float network to four files that run: what every op promises, in one function.

The networks take 8-bit images through a table of pixel values, so that the input's grid is the one of real networks.
Calibration and comparison use the same images: nothing is clipped that a Clip does not clip.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tflite import nets
from tflite.runtimes import outside_xnnpack, run_onnx, run_tflite, signed

from edgegap.graph.canonical import CANONICAL_OPS, canonicalize
from edgegap.quantize.bounds import inexact_ops
from edgegap.quantize.parameters import Grid
from edgegap.quantize.quantization import Quantized
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import Recipe
from edgegap.quantize.verify import grid_of
from edgegap.tflite import write_tflite

Array = NDArray[Any]

RECIPE = Recipe("test", "", "minmax", False)
LSB = 4.0
"""How far one quantized layer may be off, in its output's steps: half a step for rounding, about as much again for
the rounding of pixels and of weights each, and that with a margin, because maxima over random data scatter."""

NORM_IN_FLOAT = sorted(Counter(Mul=14, Div=12, Add=9, ReduceSum=3, Round=3, Sub=3).elements())
"""What ONNX Runtime computes for a LayerNormalization: its function, but for the product of two constants."""

BLOCKED_IN_FLOAT = sorted((*NORM_IN_FLOAT, *Counter(Add=3, Div=3, Floor=3, Mul=6, ReduceSum=6, Sub=3).elements()))
"""The same over more than 1032 channels: each of its three sums in two."""

LENGTH_IN_FLOAT = sorted(Counter(Add=15, Div=16, Floor=1, Mul=19, ReduceSum=3, Round=2, Sub=1).elements())
"""The same for a GlobalLpPool."""

QUOTIENT_IN_FLOAT = ("Div", "Div", "Max", "Mul", "Round")
"""The same for a Div."""

COMPOSED_IN_FLOAT = {
    "Mish": ("Div", "Mul", "Mul", "Sigmoid", "Sub", "Sub"),
    "Softplus": ("Abs", "Log", "Relu", "Sigmoid", "Sub"),
}
"""What ONNX Runtime computes for what is a function in normal form."""

_FLOAT_NOISE = 2e-5
"""Of the largest value: the kernels sum in different orders."""


class Net(nets.Net):
    """A float network of one input `x` of images, spelled in any opset."""

    def __init__(self, shape: Sequence[int] = (2, 3, 9, 8), *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.shape = tuple(shape)
        self.x = self.input("x", shape)

    def raw_conv(self, x: str, shape: Sequence[int], *, bias: bool = True, **attributes: Any) -> str:
        """A Conv with only the attributes that are given."""
        weights = [self.normal(*shape), self.normal(shape[0])][: 1 + bias]
        return self.op("Conv", [x, *map(self.constant, weights)], **attributes)

    def signed_map(self, channels: int) -> str:
        """A pointwise convolution of the input: a map of values of both signs."""
        return self.conv(self.x, (channels, self.shape[1], 1, 1))

    def in_opset(self, output: str, opset: int) -> onnx.ModelProto:
        infos = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "net", self.inputs, infos, list(self.initializers.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)

    def pixel_table(self) -> NDArray[np.float32]:
        """[C, 256]: every pixel's value under a random mean and standard deviation per channel."""
        channels = self.shape[1]
        mean, std = self.rng.uniform(0.3, 0.6, channels), self.rng.uniform(0.15, 0.35, channels)
        return ((np.arange(256) / 255 - mean[:, None]) / std[:, None]).astype(np.float32)


@dataclass(frozen=True)
class Checked:
    """What came out of `check`, for what a test has to say beyond it."""

    canonical: ir.Model
    quantized: Quantized
    float_file: bytes
    int8_file: bytes
    grid: Grid
    integers: Array

    def ops(self) -> list[str]:
        """The op types of the canonical model, in order."""
        return [node.op_type for node in self.canonical.graph]

    def arithmetic(self) -> list[str]:
        """The op types of the normal form but Q and DQ, in order."""
        return [n.op_type for n in self.quantized.model.graph if "uantizeLinear" not in n.op_type]


def check(
    net: Net,
    output: str,
    *,
    lsb: float = LSB,
    of: Sequence[str] = (),
    opset: int = 18,
    outside: Sequence[str] = (),
    in_float: Sequence[str] = (),
    least_values: int = 8,
) -> Checked:
    """Assert every promise of the network that ends in `output`.

    1. The canonical model gives what the original gives, but for float noise.
    2. So does the float TFLite file.
    3. The int8 model is exact by its own account, and ONNX Runtime and LiteRT give the same integers.
    4. The dequantized integers lie within `lsb` steps of the float values, and on average within a quarter of that: a
       wrong zero point shifts all of them, a wrong layout moves single ones far.
    5. No arithmetic of the int8 model runs in float but the ops named in `in_float`, and XNNPACK takes all of it but
       the ops named in `outside`.
    6. With float inputs and outputs both files give the dequantized integers, bit for bit.

    Args:
        net: the network.
        output: the name of its output.
        lsb: the op's stated quantization error, in steps of the output's grid.
        of: values whose own 8-bit steps count instead where they are coarser: operands, or what a Clip cuts down.
        opset: that the original is spelled in.
        outside: ops that LiteRT's interpreter runs itself.
        in_float: functions of one value that ONNX Runtime computes in float, and rounds: exact all the same.
        least_values: how many different integers the output must have for the test to mean something.
    """
    original = net.in_opset(output, opset)
    table = net.pixel_table()
    pixels = net.rng.integers(0, 256, net.shape)
    images = table[np.arange(net.shape[1])[None, :, None, None], pixels]

    canonical = canonicalize(ir.from_proto(original), net.shape)
    assert {node.op_type for node in canonical.graph} <= CANONICAL_OPS
    (reference,) = run_onnx(original, {"x": images})
    proto = ir.to_proto(canonical)
    onnx.checker.check_model(proto, full_check=True)
    _assert_close(run_onnx(proto, {"x": images})[0], reference)
    float_file = write_tflite(canonical)
    _assert_close(run_tflite(float_file, {"x": images})[0], reference)

    quantized = quantize(canonical, [images], RECIPE, table=table, io="int8")
    assert inexact_ops(quantized.model, table) == []
    feeds = {"x": quantized.input_grid.quantize(images)}
    int8 = ir.to_proto(quantized.model)
    int8_file = write_tflite(quantized.model)
    (ours,), (theirs,) = run_onnx(int8, feeds), run_tflite(int8_file, feeds)
    assert ours.dtype == np.uint8
    assert len(np.unique(ours)) >= least_values, "the test's own data are useless"
    assert np.count_nonzero(signed(ours) != theirs) == 0

    grid = grid_of(quantized.model.graph.outputs[0])
    assert grid is not None
    step = max([grid.scale, *(float(np.ptp(v)) / 255 for v in (run_onnx(original, {"x": images}, *of) if of else ()))])
    error = (grid.dequantize(ours) - reference) / step
    worst, mean = float(np.abs(error).max()), float(error.mean())
    assert worst <= lsb, "off the float values"
    assert abs(mean) <= lsb / 4, "off the float values on average"
    assert float_arithmetic(int8) == sorted(in_float)
    assert sorted(outside_xnnpack(int8_file).elements()) == sorted(outside)

    boundary = quantize(canonical, [images], RECIPE, table=table, io="float")
    expected = grid.dequantize(ours).astype(np.float32)
    np.testing.assert_array_equal(run_onnx(ir.to_proto(boundary.model), {"x": images})[0], expected)
    np.testing.assert_array_equal(run_tflite(write_tflite(boundary.model), {"x": images})[0], expected)
    return Checked(canonical, quantized, float_file, int8_file, grid, ours)


def float_arithmetic(model: onnx.ModelProto) -> list[str]:
    """The ops that ONNX Runtime computes in float, of its own optimized graph."""
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.log_severity_level = 3  # it warns that an optimized graph fits this machine only
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        ort.InferenceSession(model.SerializeToString(), options)
        optimized = onnx.load(options.optimized_model_filepath)
    moving = {
        "Concat",
        "MaxPool",
        "NhwcMaxPool",
        "Pad",
        "Slice",
        "Split",
        "Flatten",
        "Reshape",
        "Resize",
        "Transpose",
    }
    integer = {"QuantizeLinear", "DequantizeLinear", "QGemm", *moving}
    counts = Counter(node.op_type for node in optimized.graph.node)
    return sorted(op for op in counts.elements() if op not in integer and not op.startswith("QLinear"))


def _assert_close(ours: Array, reference: Array) -> None:
    assert ours.shape == reference.shape
    np.testing.assert_allclose(ours, reference, rtol=0, atol=_FLOAT_NOISE * np.abs(reference).max())


__all__ = [
    "BLOCKED_IN_FLOAT",
    "COMPOSED_IN_FLOAT",
    "LENGTH_IN_FLOAT",
    "LSB",
    "NORM_IN_FLOAT",
    "QUOTIENT_IN_FLOAT",
    "RECIPE",
    "Array",
    "Checked",
    "Net",
    "check",
    "float_arithmetic",
]
