"""The smallest networks that show an ONNX op, one for each form of it that networks use.

What EdgeGAP supports is what becomes of these: `edgegap ops` takes each of them through the passes, the quantizer and
the TFLite writer, and shows what comes out. So nothing has to be declared: an op that a pass learns to rewrite shows
up. A form that no probe has is one more line in `PROBES`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
from onnx import numpy_helper

INPUT_SHAPE = (1, 4, 6, 6)
"""N, C, H, W of a probe's input `x`."""

OPSET = 20
"""The opset that probes are spelled in."""

_MAPS = {"m": "Conv(x, w, b)", "n": "Conv(x, v, b)"}
"""What a body may read beside `x`: maps of values of both signs, [1, 4, 6, 6]."""


@dataclass(frozen=True)
class Probe:
    """An op in a network.

    Args:
        op: the ONNX op that it shows.
        form: which form of the op; '' where there is only one.
        body: the network behind `x`, `m` and `n` in ONNX's text syntax; it ends in `y`, and names in capital letters
            what only stands around the op.
    """

    op: str
    form: str
    body: str

    @property
    def name(self) -> str:
        """The op and its form."""
        return f"{self.op} ({self.form})" if self.form else self.op

    @property
    def ops(self) -> set[str]:
        """Every op in it."""
        return {"Conv", *re.findall(r"= (\w+) [<(]", self.body)}

    @property
    def maps(self) -> tuple[str, ...]:
        """Which of the maps `m` and `n` the body reads."""
        return tuple(name for name in _MAPS if re.search(rf"\b{name}\b", self.body))

    @property
    def scaffold(self) -> Counter[str]:
        """The ops that stand around what the probe shows: the maps, and what makes the values in capital letters."""
        return Counter(["Conv"] * len(self.maps) + re.findall(r"\b[A-Z]+ = (\w+)", self.body))

    def model(self) -> ir.Model:
        """The network, from `x` to `y`."""
        nodes = "".join(f"{name} = {_MAPS[name]} " for name in self.maps)
        shape = ",".join(map(str, INPUT_SHAPE))
        header = f'<ir_version: 9, opset_import: ["": {OPSET}]> probe (float[{shape}] x) => (float[] y)'
        proto = onnx.parser.parse_model(f"{header} {{ {nodes}{self.body} }}")
        proto.graph.output[0].type.tensor_type.ClearField("shape")
        read = {name for node in proto.graph.node for name in node.input}
        arrays = {name: array for name, array in _constants().items() if name in read}
        proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
        for node in proto.graph.node:
            node.name = f"make_{node.output[0]}"
        return ir.from_proto(proto)


def _constants() -> dict[str, np.ndarray]:
    """What bodies may read: weights, one value per channel, and shapes."""
    rng = np.random.default_rng(0)
    floats = {
        "w": rng.normal(size=(4, 4, 1, 1)),
        "v": rng.normal(size=(4, 4, 1, 1)),
        "b": rng.normal(size=4),
        "c": rng.uniform(0.5, 2, (4, 1, 1)),
        "s": np.array(1.5),
        "small": np.array(-1.0),
        "large": np.array(6.0),
        "zero": np.array(0.0),
        "two": np.array(2.0),
        "half": np.array(0.5),
        "one": np.array(1.0),
        "twenty": np.array(20.0),
        "root": np.array(np.sqrt(0.5)),
        "cubic": np.array(0.044715),
        "tanh": np.array(np.sqrt(2 / np.pi)),
        "plane": rng.normal(size=(1, 1, 6, 6)),
        "gamma": rng.uniform(0.5, 2, 4),
        "var": rng.uniform(0.5, 2, 4),
        "gamma6": rng.uniform(0.5, 2, 6),
        "gamma2": np.array([0.75, 1.5]),
        "b2": np.array([0.5, -1]),
        "slopes": rng.uniform(0.1, 0.5, (4, 1, 1)),
        "rows": rng.normal(size=(144, 10)),
        "columns": rng.normal(size=(6, 5)),
        "matrix": rng.normal(size=(10, 144)),
        "k3": rng.normal(size=(4, 4, 3, 3)),
        "deep": rng.normal(size=(4, 1, 3, 3)),
        "up": rng.normal(size=(4, 4, 2, 2)),
        "line": rng.normal(size=(4, 4, 3)),
        "scales": np.array([1, 1, 2, 2]),
    }
    integers = {
        "spatial": [2, 3],
        "channel": [1],
        "last": [4],
        "pads": [0, 0, 1, 1, 0, 0, 1, 1],
        "order": [2, 0, 3, 1],
        "pair": [1, 2],
        "third": 2,
        "split": [1, 3],
        "sizes": [1, 4, 12, 12],
        "seven": [1, 4, 7, 7],
        "flat": [1, -1],
        "groups": [1, 2, 2, 6, 6],
        "halves": [1, 2, 72],
        "whole": [1, 4, 6, 6],
        "tail": [-1],
        "series": [1, 4, 36],
        "ends": [6, 6],
        "axes": [2, 3],
        "starts": [0, 0],
        "steps": [2, 2],
    }
    return {name: np.asarray(array, np.float32) for name, array in floats.items()} | {
        name: np.asarray(array, np.int64) for name, array in integers.items()
    }


PROBES: tuple[Probe, ...] = tuple(
    Probe(op, form, body)
    for op, form, body in (
        ("Conv", "", "y = Conv <pads: ints = [1, 1, 1, 1]> (x, k3, b)"),
        ("Conv", "strided", "y = Conv <pads: ints = [1, 1, 1, 1], strides: ints = [2, 2]> (x, k3, b)"),
        ("Conv", "dilated", "y = Conv <dilations: ints = [2, 2]> (x, k3, b)"),
        ("Conv", "depthwise", "y = Conv <group: int = 4> (x, deep, b)"),
        ("Conv", "1-D", "R = Reshape (m, series) y = Conv (R, line, b)"),
        ("ConvTranspose", "", "y = ConvTranspose <strides: ints = [2, 2]> (m, up, b)"),
        (
            "ConvTranspose",
            "cropped",
            "y = ConvTranspose <strides: ints = [2, 2], pads: ints = [1, 1, 1, 1], output_padding: ints = [1, 1]> "
            "(m, k3)",
        ),
        ("Gemm", "", "F = Flatten (x) y = Gemm <transB: int = 1> (F, matrix)"),
        ("MatMul", "by a constant, of [N, K]", "F = Flatten (x) y = MatMul (F, rows)"),
        ("MatMul", "by a constant, of a map", "y = MatMul (m, columns)"),
        ("MatMul", "of two maps", "y = MatMul (m, n)"),
        ("Add", "of two maps", "y = Add (m, n)"),
        ("Add", "of a value per channel", "y = Add (x, c)"),
        ("Add", "of a constant map", "y = Add (m, plane)"),
        ("Sub", "of two maps", "y = Sub (m, n)"),
        ("Sub", "of a value per channel", "y = Sub (x, c)"),
        ("Mul", "of two maps", "y = Mul (m, n)"),
        ("Mul", "by a value per channel", "y = Mul (x, c)"),
        ("Mul", "by a constant map", "y = Mul (m, plane)"),
        ("Mul", "squeeze and excitation", "G = GlobalAveragePool (m) y = Mul (n, G)"),
        ("Div", "by a value per channel", "y = Div (x, c)"),
        ("Div", "of two maps", "y = Div (m, n)"),
        ("Div", "by a gate", "G = Sigmoid (n) y = Div (m, G)"),
        ("Min", "of two maps", "y = Min (m, n)"),
        ("Min", "by a constant", "y = Min (m, large)"),
        ("Max", "of two maps", "y = Max (m, n)"),
        ("Max", "by a constant", "y = Max (m, zero)"),
        ("Pow", "squared", "y = Pow (m, two)"),
        ("Sqrt", "", "P = Relu (m) y = Sqrt (P)"),
        ("Abs", "", "y = Abs (m)"),
        ("Exp", "", "y = Exp (m)"),
        ("Neg", "", "y = Neg (m)"),
        ("Relu", "", "y = Relu (m)"),
        ("Relu", "of the input", "y = Relu (x)"),
        ("Clip", "ReLU6", "y = Clip (m, zero, large)"),
        ("Clip", "to both signs", "y = Clip (m, small, large)"),
        ("LeakyRelu", "", "y = LeakyRelu <alpha: float = 0.1> (m)"),
        ("PRelu", "", "y = PRelu (m, slopes)"),
        ("Elu", "", "y = Elu (m)"),
        ("Celu", "", "y = Celu (m)"),
        ("Selu", "", "y = Selu (m)"),
        ("Sigmoid", "", "y = Sigmoid (m)"),
        ("Sigmoid", "SiLU", "a = Sigmoid (m) y = Mul (m, a)"),
        ("HardSigmoid", "", "y = HardSigmoid <alpha: float = 0.16666667> (m)"),
        ("HardSwish", "", "y = HardSwish (m)"),
        ("HardSwish", "as x * HardSigmoid(x)", "a = HardSigmoid <alpha: float = 0.16666667> (m) y = Mul (m, a)"),
        ("Tanh", "", "y = Tanh (m)"),
        ("Gelu", "", "y = Gelu (m)"),
        ("Gelu", "approximated", 'y = Gelu <approximate: string = "tanh"> (m)'),
        (
            "Gelu",
            "as Erf",
            "a = Mul (m, root) d = Erf (a) e = Add (d, one) f = Mul (m, e) y = Mul (f, half)",
        ),
        (
            "Gelu",
            "as Tanh",
            "a = Mul (m, m) d = Mul (a, m) e = Mul (d, cubic) f = Add (m, e) g = Mul (f, tanh) h = Tanh (g) "
            "i = Add (h, one) j = Mul (m, i) y = Mul (j, half)",
        ),
        ("Mish", "", "y = Mish (m)"),
        ("Mish", "as Softplus and Tanh", "a = Softplus (m) d = Tanh (a) y = Mul (m, d)"),
        ("Mish", "as Log and Tanh", "a = Exp (m) d = Add (a, one) e = Log (d) f = Tanh (e) y = Mul (m, f)"),
        ("Erf", "", "y = Erf (m)"),
        ("Softplus", "", "y = Softplus (m)"),
        ("Softplus", "of torch", "a = Softplus (m) d = Greater (m, twenty) y = Where (d, m, a)"),
        ("Log", "", "P = Sigmoid (m) y = Log (P)"),
        ("Log", "as Softplus", "a = Exp (m) d = Add (a, one) y = Log (d)"),
        ("Greater", "", "a = Greater (m, zero) y = Cast <to: int = 1> (a)"),
        ("Where", "of two maps", "A = Greater (m, zero) y = Where (A, m, n)"),
        ("Softsign", "", "y = Softsign (m)"),
        ("Softmax", "over the channels", "y = Softmax <axis: int = 1> (m)"),
        (
            "BatchNormalization",
            "behind a Conv",
            "y = BatchNormalization (m, gamma, b, b, var)",
        ),
        (
            "BatchNormalization",
            "elsewhere",
            "y = BatchNormalization (x, gamma, b, b, var)",
        ),
        (
            "LayerNormalization",
            "of the channels",
            "T = Transpose <perm: ints = [0, 2, 3, 1]> (m) y = LayerNormalization (T, gamma, b)",
        ),
        ("LayerNormalization", "of rows", "y = LayerNormalization (m, gamma6)"),
        ("InstanceNormalization", "of maps", "y = InstanceNormalization (m, gamma, b)"),
        (
            "InstanceNormalization",
            "of groups",
            "a = Reshape (m, halves) d = InstanceNormalization (a, gamma2, b2) y = Reshape (d, whole)",
        ),
        ("GroupNormalization", "", "y = GroupNormalization <num_groups: int = 2> (m, gamma2, b2)"),
        ("Concat", "of channels", "y = Concat <axis: int = 1> (m, n)"),
        ("Split", "of channels", "y, rest = Split <axis: int = 1> (m, split)"),
        ("Slice", "of channels", "y = Slice (m, channel, last, channel)"),
        ("Slice", "every second row and column", "y = Slice (m, starts, ends, axes, steps)"),
        ("Gather", "of neighbours", "y = Gather <axis: int = 1> (m, pair)"),
        ("Gather", "of one channel", "y = Gather <axis: int = 1> (m, third)"),
        ("Gather", "in another order", "y = Gather <axis: int = 1> (m, order)"),
        ("Pad", "by a constant", "y = Pad (m, pads)"),
        ("Expand", "of a gate", "G = GlobalAveragePool (m) a = Expand (G, whole) y = Mul (n, a)"),
        ("Pad", "reflect", 'y = Pad <mode: string = "reflect"> (m, pads)'),
        ("MaxPool", "", "y = MaxPool <kernel_shape: ints = [2, 2], strides: ints = [2, 2]> (m)"),
        (
            "MaxPool",
            "ceil_mode",
            "y = MaxPool <kernel_shape: ints = [3, 3], strides: ints = [2, 2], ceil_mode: int = 1> (m)",
        ),
        ("AveragePool", "", "y = AveragePool <kernel_shape: ints = [2, 2], strides: ints = [2, 2]> (m)"),
        (
            "AveragePool",
            "not counting its padding",
            "y = AveragePool <kernel_shape: ints = [3, 3], pads: ints = [1, 1, 1, 1]> (m)",
        ),
        ("GlobalAveragePool", "", "y = GlobalAveragePool (m)"),
        ("GlobalMaxPool", "", "y = GlobalMaxPool (m)"),
        ("ReduceMean", "over the map", "y = ReduceMean (m, spatial)"),
        ("ReduceMean", "over the channels", "y = ReduceMean (m, channel)"),
        ("ReduceMax", "over the map", "y = ReduceMax (m, spatial)"),
        ("ReduceL2", "over the map", "y = ReduceL2 (m, spatial)"),
        ("GlobalLpPool", "", "y = GlobalLpPool (m)"),
        ("ReduceSum", "over the map", "y = ReduceSum (m, spatial)"),
        ("Flatten", "", "y = Flatten (m)"),
        ("Reshape", "", "y = Reshape (m, series)"),
        ("Squeeze", "", "G = GlobalAveragePool (m) y = Squeeze (G, spatial)"),
        ("Unsqueeze", "", "G = GlobalAveragePool (m) F = Flatten (G) y = Unsqueeze (F, spatial)"),
        ("Transpose", "NCHW to NHWC", "y = Transpose <perm: ints = [0, 2, 3, 1]> (m)"),
        (
            "Transpose",
            "channel shuffle",
            "a = Reshape (m, groups) d = Transpose <perm: ints = [0, 2, 1, 3, 4]> (a) y = Reshape (d, whole)",
        ),
        ("DepthToSpace", "DCR", "y = DepthToSpace <blocksize: int = 2> (m)"),
        ("DepthToSpace", "CRD", 'y = DepthToSpace <blocksize: int = 2, mode: string = "CRD"> (m)'),
        ("SpaceToDepth", "", "y = SpaceToDepth <blocksize: int = 2> (m)"),
        (
            "Resize",
            "nearest",
            'y = Resize <mode: string = "nearest", coordinate_transformation_mode: string = "asymmetric", '
            'nearest_mode: string = "floor"> (m, , scales)',
        ),
        (
            "Resize",
            "nearest, by a fraction",
            'y = Resize <mode: string = "nearest", coordinate_transformation_mode: string = "asymmetric", '
            'nearest_mode: string = "floor"> (m, , , seven)',
        ),
        (
            "Resize",
            "nearest, half-pixel, by a fraction",
            'y = Resize <mode: string = "nearest"> (m, , , seven)',
        ),
        (
            "Resize",
            "bilinear, half-pixel",
            'y = Resize <mode: string = "linear", coordinate_transformation_mode: string = "half_pixel"> (m, , scales)',
        ),
        (
            "Resize",
            "bilinear, align-corners",
            'y = Resize <mode: string = "linear", coordinate_transformation_mode: string = "align_corners"> '
            "(m, , scales)",
        ),
        ("Identity", "", "y = Identity (m)"),
        ("Dropout", "", "y = Dropout (m)"),
        ("Cast", "to the type it has", "y = Cast <to: int = 1> (m)"),
        (
            "Shape",
            "in a Reshape",
            "a = Shape <end: int = 1> (m) d = Concat <axis: int = 0> (a, tail) y = Reshape (m, d)",
        ),
    )
)
