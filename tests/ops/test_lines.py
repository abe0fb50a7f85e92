"""Networks of one dimension, which become networks of maps of one row. Bound: 0."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import strategies as st
from tflite.runtimes import run_onnx

from edgegap.graph.canonical import canonicalize
from edgegap.graph.nodes import shape_of

from .harness import Net, check
from .seeded import few, many

CHANNELS = 4
LAYERS = st.lists(
    st.tuples(
        st.sampled_from(["conv", "grouped", "strided", "dilated", "norm", "prelu", "swish", "gate", "residual"])
        | st.sampled_from(["concat", "max", "average", "padded", "scaled", "cropped", "linear"]),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=4,
)
HEADS = st.sampled_from(["mean", "gap", "classes", "maximum", "fc", "tokens"])


class Lines(Net):
    """A network of [2, 3, 1, L], of which a Squeeze makes lines at once."""

    def __init__(self, length: int) -> None:
        super().__init__((2, 3, 1, length))
        self.line = self.ints("Squeeze", self.x, [2])

    def conv1d(self, x: str, outputs: int, inputs: int, kernel: int = 3, **attributes: object) -> str:
        weights = [self.constant(self.normal(outputs, inputs, kernel)), self.constant(self.normal(outputs))]
        return self.op("Conv", [x, *weights], **attributes)

    def length(self, value: str) -> int:
        (model,) = self.shapes(value)
        return model[2]

    def shapes(self, *values: str) -> list[tuple[int, ...]]:
        model = self.model(*values)
        return [tuple(d.dim_value for d in output.type.tensor_type.shape.dim) for output in model.graph.output]

    def layer(self, x: str, kind: str, k: int) -> str:  # noqa: PLR0912  # one for each kind
        c = CHANNELS
        match kind:
            case "conv":
                return self.op("Relu", [self.conv1d(x, c, c, k, auto_pad="SAME_UPPER")])
            case "grouped":
                return self.conv1d(x, c, 2, 3, pads=[k % 3, 1], group=2)
            case "strided":
                return self.conv1d(x, c, c, k, strides=[2], pads=[k // 2, k // 2])
            case "dilated":
                return self.conv1d(x, c, 1, 3, dilations=[k], pads=[k, k], group=c)
            case "norm":
                parameters = [self.normal(c), self.normal(c), self.normal(c), self.rng.uniform(0.5, 2, c)]
                constants = [self.constant(array, np.float32) for array in parameters]
                return self.op("BatchNormalization", [self.op("Relu", [x]), *constants])
            case "prelu":
                return self.op("PRelu", [x, self.constant(self.rng.uniform(0.1, 0.5, (c, 1)), np.float32)])
            case "swish":
                return self.op("Mul", [x, self.op("Sigmoid", [x])])
            case "gate":
                pooled = self.ints("ReduceMean", x, [-1], keepdims=1)
                return self.op("Mul", [x, self.op("Sigmoid", [self.conv1d(pooled, c, c, 1)])])
            case "residual":
                return self.op("Relu", [self.op("Add", [x, self.conv1d(x, c, c, 3, pads=[1, 1])])])
            case "concat":
                joined = self.op("Concat", [x, self.op("Relu", [x])], axis=1)
                return self.conv1d(joined, c, 2 * c, 1)
            case "max":
                attributes = {"kernel_shape": [3], "strides": [k % 2 + 1], "pads": [1, 1], "ceil_mode": k // 3}
                return self.op("MaxPool", [self.op("Relu", [x])], **attributes)  # else LiteRT pads without XNNPACK
            case "average":
                counts = {"count_include_pad": k // 3}
                return self.op("AveragePool", [x], kernel_shape=[2], strides=[k % 2 + 1], pads=[1, 1], **counts)
            case "padded":
                return self.conv1d(self.ints("Pad", x, [0, 0, k, 0, 0, 1]), c, c, 2)
            case "scaled":
                scaled = self.op("Mul", [x, self.constant(self.rng.uniform(0.5, 2, (c, 1)), np.float32)])
                return self.op("Add", [scaled, self.constant(0.5, np.float32)])
            case "cropped":
                return self.ints("Slice", x, [1], [2**31], [2], [1])
            case _:
                product = self.op(
                    "MatMul", [self.op("Transpose", [x], perm=[0, 2, 1]), self.constant(self.normal(c, c))]
                )
                biased = self.op("Add", [product, self.constant(self.normal(c))])
                return self.op("Transpose", [biased], perm=[0, 2, 1])

    def head(self, x: str, kind: str) -> str:
        match kind:
            case "mean":
                return self.ints("ReduceMean", self.conv1d(x, 6, CHANNELS, 1), [2], keepdims=0)
            case "gap":
                pooled = self.op("GlobalAveragePool", [x])
                return self.gemm(self.op("Flatten", [pooled]), 6, CHANNELS)
            case "classes":
                pooled = self.op("GlobalAveragePool", [self.conv1d(x, 6, CHANNELS, 1)])
                return self.ints("Squeeze", pooled, [2])
            case "tokens":
                last = self.op("Transpose", [x], perm=[0, 2, 1])
                return self.ints(
                    "ReduceMean", self.op("MatMul", [last, self.constant(self.normal(CHANNELS, 6))]), [1], keepdims=0
                )
            case "maximum":
                return self.gemm(self.ints("ReduceMax", x, [2], keepdims=0), 6, CHANNELS)
            case _:
                return self.gemm(self.ints("Reshape", x, [0, -1]), 6, CHANNELS * self.length(x))


def network(length: int, layers: list[tuple[str, int]], head: str) -> tuple[Lines, str]:
    net = Lines(length)
    x = net.conv1d(net.line, CHANNELS, 3, pads=[1, 1])
    for kind, k in layers:
        x = net.layer(x, kind, k)
    return net, net.head(x, head)


@many(st.integers(12, 20), LAYERS, HEADS)
def test_a_random_network_computes_the_same_without_a_value_of_three_axes(length, layers, head) -> None:
    net, y = network(length, layers, head)
    original = net.in_opset(y, 18)
    canonical = canonicalize(ir.from_proto(original), net.shape)
    assert {len(shape_of(value)) for node in canonical.graph for value in node.outputs} <= {2, 4}
    assert not {"Reshape", "Transpose"} & {node.op_type for node in canonical.graph}
    images = net.normal(*net.shape)
    (expected,), (found,) = (run_onnx(model, {"x": images}) for model in (original, ir.to_proto(canonical)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@few(st.integers(12, 20), LAYERS, HEADS)
def test_a_random_network_is_exact(length, layers, head) -> None:
    net, y = network(length, layers, head)
    check(net, y, lsb=24, least_values=4)


@pytest.mark.parametrize("head", ["mean", "fc"])
def test_keyword_spotting_on_one_map_that_is_not_square_is_exact(head: str) -> None:
    net = Net((2, 1, 25, 10))
    weights = [net.constant(net.normal(8, 1, 10, 4)), net.constant(net.normal(8))]
    x = net.op("Relu", [net.op("Conv", [net.x, *weights], strides=[2, 2], pads=[5, 1, 4, 1])])
    x = net.conv(x, (8, 1, 3, 3), group=8, pads=[1, 1, 1, 1])
    y = net.ints("ReduceMean", x, [2, 3], keepdims=0) if head == "mean" else net.op("Flatten", [x])
    check(net, net.gemm(y, 6, 8 if head == "mean" else 8 * 13 * 5), lsb=8)
