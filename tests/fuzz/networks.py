"""Random small classifiers: a `Network` says everything, so that a failing one can be pasted into `regressions.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES = 6
MOST_CHANNELS = 24
LARGEST = 16
"""Rows or columns of a map that is upsampled."""

HEADS = ("gap", "gap-linear", "fc", "none")

Map = tuple[str, int, int, int]
"""The name, channels, height and width of a value."""


@dataclass(frozen=True)
class Layer:
    """One layer; `kind` reads the numbers as it needs them.

    Args:
        kind: a name in `KINDS`.
        source: which value it reads, counted back from the newest.
        other: a second one.
        a: a number of a variant.
        b: another.
        c: another.
    """

    kind: str
    source: int = 0
    other: int = 0
    a: int = 0
    b: int = 0
    c: int = 0


@dataclass(frozen=True)
class Network:
    """A network and the images that it takes.

    Args:
        layers: from the image on.
        head: of `HEADS`.
        spelling: of the head.
        channels: of the image.
        height: of the image.
        width: of the image.
        wild: how far the scales of two channels of one weight may lie apart: 2 ** +-wild.
        batch: of the files.
        seed: of weights and images.
    """

    layers: tuple[Layer, ...] = ()
    head: str = "gap"
    spelling: int = 0
    channels: int = 3
    height: int = 8
    width: int = 8
    wild: int = 0
    batch: int = 1
    seed: int = 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """N, C, H, W."""
        return self.batch, self.channels, self.height, self.width

    def table(self) -> NDArray[np.float32]:
        """float32 [C, 256]: the value of every pixel."""
        rng = np.random.default_rng((self.seed, 1))
        mean, std = rng.uniform(0, 0.6, (self.channels, 1)), rng.uniform(0.15, 1, (self.channels, 1))
        return ((np.arange(256) / 255 - mean) / std).astype(np.float32)

    def images(self, count: int, stream: int) -> NDArray[np.float32]:
        """Preprocessed images [count, C, H, W], each with a brightness and a contrast of its own."""
        rng = np.random.default_rng((self.seed, 2, stream))
        level, contrast = rng.uniform(40, 215, (count, 1, 1, 1)), rng.uniform(5, 80, (count, 1, 1, 1))
        noise = rng.normal(size=(count, self.channels, self.height, self.width))
        pixels = (level + contrast * noise).clip(0, 255).astype(np.uint8)
        return self.table()[np.arange(self.channels)[None, :, None, None], pixels]

    def model(self) -> onnx.ModelProto:
        """The ONNX model from `x` to `y`, opset 18."""
        return _Builder(self).model()


_small = st.integers(0, 5)

networks = st.builds(
    Network,
    layers=st.lists(
        st.deferred(lambda: st.builds(Layer, st.sampled_from(list(KINDS)), st.integers(0, 3), _small, *[_small] * 3)),
        min_size=1,
        max_size=11,
    ).map(tuple),
    head=st.sampled_from(HEADS),
    spelling=_small,
    channels=st.sampled_from([3, 1, 4]),
    height=st.integers(8, 16),
    width=st.integers(8, 16),
    wild=st.integers(0, 4),
    batch=st.sampled_from([1, 4]),
    seed=st.integers(0, 999),
)


class _Builder:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.rng = np.random.default_rng((network.seed, 0))
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.maps: list[Map] = [("x", network.channels, network.height, network.width)]

    def model(self) -> onnx.ModelProto:
        for layer in self.network.layers:
            made = KINDS[layer.kind](self, layer, self.pick(layer.source))
            if made is not None:
                self.maps.append(made)
        _head(self, self.network.head, self.network.spelling)
        self.nodes[-1].output[0] = "y"
        infos = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (("x", self.network.shape), ("y", ("rows", "classes")))
        ]
        graph = helper.make_graph(self.nodes, "network", infos[:1], infos[1:], self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)

    def pick(self, back: int) -> Map:
        return self.maps[-1 - back % len(self.maps)]

    def partner(self, layer: Layer, fits: Callable[[Map], bool]) -> Map | None:
        """The value `other` of those that fit."""
        fitting = [value for value in self.maps[::-1] if fits(value)]
        return fitting[layer.other % len(fitting)] if fitting else None

    def constant(self, array: Any) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def op(self, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"{op_type.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=f"{name}_node", **attributes))
        return name

    def per_channel(self, channels: int) -> NDArray[np.float32]:
        """Positive factors."""
        return (2.0 ** self.rng.uniform(-self.network.wild, self.network.wild, channels)).astype(np.float32)

    def weight(self, *shape: int) -> NDArray[np.float32]:
        scale = self.per_channel(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
        return (self.rng.normal(size=shape) * scale / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    def bias(self, channels: int) -> NDArray[np.float32]:
        return (self.rng.normal(size=channels) * 0.3 * self.per_channel(channels)).astype(np.float32)

    def convolve(self, x: Map, outputs: int, kernel: tuple[int, int], *, groups: int = 1, **window: Any) -> Map | None:
        """A Conv, or None where its window does not fit."""
        name, channels, height, width = x
        strides, dilations = window.get("strides", (1, 1)), window.get("dilations", (1, 1))
        pads = window.get("pads", (0, 0, 0, 0))
        size = [
            (n + pads[d] + pads[d + 2] - (kernel[d] - 1) * dilations[d] - 1) // strides[d] + 1
            for d, n in enumerate((height, width))
        ]
        if min(size) < 1:
            return None
        inputs = [name, self.constant(self.weight(outputs, channels // groups, *kernel))]
        if window.pop("bias", True):
            inputs.append(self.constant(self.bias(outputs)))
        return self.op("Conv", inputs, kernel_shape=kernel, group=groups, **window), outputs, *size


_KERNELS = ((3, 3), (1, 1), (5, 5), (3, 1), (2, 2), (1, 4))
_WINDOWS: tuple[dict[str, Any], ...] = (
    {"pads": (1, 1, 1, 1)},
    {"strides": (2, 2), "pads": (1, 1, 1, 1)},
    {"bias": False},
    {"strides": (2, 1), "pads": (0, 1, 2, 0)},
    {"dilations": (2, 2), "pads": (2, 2, 2, 2)},
    {"strides": (2, 2), "pads": (0, 0, 1, 1), "bias": False},
)


def _conv(net: _Builder, layer: Layer, x: Map) -> Map | None:
    return net.convolve(x, (8, 4, 12, 5, 16, 2)[layer.a], _KERNELS[layer.b], **_WINDOWS[layer.c])


def _depthwise(net: _Builder, layer: Layer, x: Map) -> Map | None:
    times = 2 if layer.a > 3 and 2 * x[1] <= MOST_CHANNELS else 1
    return net.convolve(x, times * x[1], _KERNELS[layer.b], groups=x[1], **_WINDOWS[layer.c])


def _grouped(net: _Builder, layer: Layer, x: Map) -> Map | None:
    groups = next(g for g in (2, 3, 1) if x[1] % g == 0)
    return net.convolve(x, groups * (2 + layer.a % 3), _KERNELS[layer.b], groups=groups, **_WINDOWS[layer.c])


def _relu(net: _Builder, layer: Layer, x: Map) -> Map:
    return net.op("Relu", [x[0]]), *x[1:]


def _clip(net: _Builder, layer: Layer, x: Map) -> Map:
    lo, hi = ((0, 6), (0, 1), (-1, 1), (None, 1.5), (-0.5, None), (0.0, 2.5))[layer.a]
    ends = ["" if end is None else net.constant(np.float32(end)) for end in (lo, hi)]
    return net.op("Clip", [x[0], *ends] if hi is not None else [x[0], ends[0]]), *x[1:]


def _function(net: _Builder, layer: Layer, x: Map) -> Map:
    op_type = ("Sigmoid", "Tanh", "Elu", "HardSwish", "HardSigmoid", "LeakyRelu")[layer.a]
    y = net.op(op_type, [x[0]], **({"alpha": (0.01, 0.2)[layer.b % 2]} if op_type == "LeakyRelu" else {}))
    gates = op_type in ("Sigmoid", "HardSigmoid", "Tanh") and layer.c % 2
    return net.op("Mul", [x[0], y]) if gates else y, *x[1:]


def _composed(net: _Builder, layer: Layer, x: Map) -> Map:
    """Mish, in full or not, and Softplus."""
    if layer.a % 3 == 0:
        return net.op("Mish", [x[0]]), *x[1:]
    y = net.op("Softplus", [x[0]])
    return net.op("Mul", [x[0], net.op("Tanh", [y])]) if layer.a % 3 == 1 else y, *x[1:]


def _prelu(net: _Builder, layer: Layer, x: Map) -> Map:
    slope = net.rng.uniform(-0.5, 1, (x[1], 1, 1) if layer.a % 2 else (1,)).astype(np.float32)
    return net.op("PRelu", [x[0], net.constant(slope)]), *x[1:]


def _split(net: _Builder, layer: Layer, x: Map) -> Map | None:
    """Two parts, the other way round or added up."""
    axis = 1 + layer.a % 3
    size = x[axis]
    at = size // 2 if layer.b % 2 else 1 + layer.c % max(size - 1, 1)
    if size < 2 or (layer.b % 2 and size % 2):
        return None
    parts = [f"split_{len(net.nodes)}_{k}" for k in range(2)]
    net.nodes.append(
        helper.make_node("Split", [x[0], net.constant(np.array([at, size - at]))], parts, name=parts[0], axis=axis)
    )
    if layer.b % 2:
        return net.op("Add", parts), *[at if k == axis else x[k] for k in (1, 2, 3)]
    return net.op("Concat", parts[::-1], axis=axis), *x[1:]


def _pool(op_type: str) -> Callable[[_Builder, Layer, Map], Map | None]:
    def make(net: _Builder, layer: Layer, x: Map) -> Map | None:
        name, channels, height, width = x
        kernel, strides = ((2, 2), (3, 3), (3, 2))[layer.a % 3], ((2, 2), (1, 1), (3, 2))[layer.b % 3]
        pads = ((0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 1, 0))[layer.c % 3]
        ceil = layer.c // 3
        spans = [n + pads[d] + pads[d + 2] - kernel[d] for d, n in enumerate((height, width))]
        size = [(span + ceil * (strides[d] - 1)) // strides[d] + 1 for d, span in enumerate(spans)]
        sees = all((size[d] - 1) * strides[d] - pads[d] < n for d, n in enumerate((height, width)))
        if min(spans) < 0 or not sees:
            return None
        more = {"count_include_pad": layer.other % 2} if op_type == "AveragePool" else {}
        window = {"kernel_shape": kernel, "strides": strides, "pads": pads, "ceil_mode": ceil}
        return net.op(op_type, [name], **window, **more), channels, *size

    return make


def _add(net: _Builder, layer: Layer, x: Map) -> Map | None:
    if layer.a % 2:
        other = net.partner(layer, lambda value: value[1:] == x[1:])
    else:
        other = net.convolve(x, x[1], (3, 3), pads=(1, 1, 1, 1))
    return (net.op(("Add", "Sub")[layer.b % 2], [x[0], other[0]]), *x[1:]) if other else None


def _mul(net: _Builder, layer: Layer, x: Map) -> Map | None:
    if layer.a % 2:
        other = net.partner(layer, lambda value: value[1:] == x[1:])
        return (net.op("Mul", [x[0], other[0]]), *x[1:]) if other else None
    source = net.partner(layer, lambda value: True)
    assert source is not None
    pooled = (net.op("GlobalAveragePool", [source[0]]), source[1], 1, 1)
    gate = net.convolve(pooled, x[1], (1, 1))
    assert gate is not None
    opened = net.op("Clip", [gate[0], net.constant(np.float32(0)), net.constant(np.float32(1))])
    return net.op("Mul", [x[0], opened] if layer.b % 2 else [opened, x[0]]), *x[1:]


def _concat(net: _Builder, layer: Layer, x: Map) -> Map | None:
    other = net.partner(layer, lambda value: value[2:] == x[2:] and value[1] + x[1] <= MOST_CHANNELS)
    return (net.op("Concat", [x[0], other[0]], axis=1), x[1] + other[1], *x[2:]) if other else None


def _pad(net: _Builder, layer: Layer, x: Map) -> Map:
    top, left, bottom, right = ((1, 1, 1, 1), (0, 0, 1, 2), (2, 1, 0, 0))[layer.a % 3]
    pads = net.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))
    value = () if layer.b % 3 else (net.constant(np.float32((0.5, -1.0)[layer.c % 2])),)
    return net.op("Pad", [x[0], pads, *value]), x[1], x[2] + top + bottom, x[3] + left + right


def _slice(net: _Builder, layer: Layer, x: Map) -> Map | None:
    axis, start, step = 1 + layer.a % 3, layer.b % 3, 1 + layer.c % 2
    sizes = list(x[1:])
    stop = sizes[axis - 1] - layer.other % 2
    sizes[axis - 1] = len(range(start, stop, step))
    if sizes[axis - 1] < 1:
        return None
    cut = [net.constant(np.array([number])) for number in (start, stop, axis, step)]
    return net.op("Slice", [x[0], *cut]), *sizes


def _batch_norm(net: _Builder, layer: Layer, x: Map) -> Map:
    rows = [net.per_channel(x[1]), net.bias(x[1]), net.bias(x[1]), net.per_channel(x[1])]
    return net.op("BatchNormalization", [x[0], *map(net.constant, rows)]), *x[1:]


def _affine(net: _Builder, layer: Layer, x: Map) -> Map:
    op_type = ("Mul", "Add", "Sub", "Div")[layer.a % 4]
    shape = (x[1], 1, 1) if layer.b % 2 else (1, 1, 1)
    factor = net.constant(net.per_channel(shape[0]).reshape(shape))
    return net.op(op_type, [factor, x[0]] if layer.c % 2 and op_type != "Div" else [x[0], factor]), *x[1:]


def _mask(net: _Builder, layer: Layer, x: Map) -> Map:
    values = net.rng.uniform(0.1, 1, (1, 1 if layer.b % 2 else x[1], *x[2:])).astype(np.float32)
    return net.op(("Mul", "Add", "Sub", "Div")[layer.a % 4], [x[0], net.constant(values)]), *x[1:]


def _shuffle(net: _Builder, layer: Layer, x: Map) -> Map | None:
    name, channels, height, width = x
    if channels % 2:
        return None
    split = net.constant(np.array([net.network.batch, 2, channels // 2, height, width]))
    joined = net.constant(np.array([-1, channels, height, width]))
    turned = net.op("Transpose", [net.op("Reshape", [name, split])], perm=[0, 2, 1, 3, 4])
    return net.op("Reshape", [turned, joined]), *x[1:]


def _layer_norm(net: _Builder, layer: Layer, x: Map) -> Map | None:
    """Over channels that are many enough not to be alike at any position."""
    if x[1] < 12:
        return None
    parameters = (np.ones(x[1], np.float32), net.per_channel(x[1]))[layer.a % 2], net.bias(x[1])
    last = net.op("Transpose", [x[0]], perm=[0, 2, 3, 1])
    normed = net.op("LayerNormalization", [last, *map(net.constant, parameters[: 1 + layer.b % 2])], axis=-1)
    return net.op("Transpose", [normed], perm=[0, 3, 1, 2]), *x[1:]


def _group_norm(net: _Builder, layer: Layer, x: Map) -> Map | None:
    """Of the whole map or its halves, as torch writes it or in one op; each of values that are many enough."""
    groups = 2 if layer.a % 2 and x[1] % 2 == 0 else 1
    if x[1] * x[2] * x[3] < 32 * groups:
        return None
    scale, bias = net.per_channel(groups), net.bias(groups)
    if layer.b % 2:
        inputs = [x[0], net.constant(scale), net.constant(bias)]
        return net.op("GroupNormalization", inputs, num_groups=groups, epsilon=1e-3), *x[1:]
    rows = net.op("Reshape", [x[0], net.constant(np.array([0, groups, -1]))])
    normed = net.op("InstanceNormalization", [rows, net.constant(scale), net.constant(bias)], epsilon=1e-3)
    return net.op("Reshape", [normed, net.constant(np.array([0, *x[1:]]))]), *x[1:]


def _linear_last(net: _Builder, layer: Layer, x: Map) -> Map:
    """A Linear of [N, H, W, C]."""
    outputs = (8, 4, 12, 5, 16, 2)[layer.a]
    last = net.op("Transpose", [x[0]], perm=[0, 2, 3, 1])
    product = net.op("MatMul", [last, net.constant(np.ascontiguousarray(net.weight(outputs, x[1]).T))])
    y = net.op("Add", [product, net.constant(net.bias(outputs))])
    y = net.op("Relu", [y]) if layer.b % 2 else y
    return net.op("Transpose", [y], perm=[0, 3, 1, 2]), outputs, *x[2:]


def _upsample(net: _Builder, layer: Layer, x: Map) -> Map | None:
    name, channels, height, width = x
    if max(height, width) > LARGEST:
        return None
    match layer.a % 4:
        case 0:
            pads = [layer.b % 2] * 4
            inputs = [name, net.constant(net.weight(channels, 4, 3, 3)), net.constant(net.bias(4))]
            y = net.op("ConvTranspose", inputs, kernel_shape=[3, 3], strides=[2, 2], pads=pads)
            return y, 4, 2 * height + 1 - 2 * pads[0], 2 * width + 1 - 2 * pads[0]
        case 1 if channels % 4 == 0:
            mode = ("DCR", "CRD")[layer.b % 2]
            return net.op("DepthToSpace", [name], blocksize=2, mode=mode), channels // 4, 2 * height, 2 * width
        case 2:
            sizes = net.constant(np.array([net.network.batch, channels, height + layer.b, width + layer.c]))
            y = net.op("Resize", [name, "", "", sizes], mode="nearest", nearest_mode="floor")
            return y, channels, height + layer.b, width + layer.c
        case _:
            scales = net.constant(np.array([1, 1, 2, 2], np.float32))
            return net.op("Resize", [name, "", scales], mode="linear"), channels, 2 * height, 2 * width


KINDS: dict[str, Callable[[_Builder, Layer, Map], Map | None]] = {
    "conv": _conv,
    "depthwise": _depthwise,
    "grouped": _grouped,
    "relu": _relu,
    "clip": _clip,
    "function": _function,
    "composed": _composed,
    "prelu": _prelu,
    "split": _split,
    "max_pool": _pool("MaxPool"),
    "average_pool": _pool("AveragePool"),
    "add": _add,
    "mul": _mul,
    "concat": _concat,
    "pad": _pad,
    "slice": _slice,
    "batch_norm": _batch_norm,
    "affine": _affine,
    "mask": _mask,
    "shuffle": _shuffle,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "linear_last": _linear_last,
    "upsample": _upsample,
}


def _head(net: _Builder, head: str, spelling: int) -> None:
    x = net.pick(0)
    if head in ("gap", "none"):
        made = net.convolve(x, CLASSES, (1, 1))
        assert made is not None
        x = _relu(net, Layer("relu"), made) if spelling % 2 else made
    rows = _average(net, x, spelling) if head in ("gap", "gap-linear") else net.op("Flatten", [x[0]])
    inputs = x[1] * (x[2] * x[3] if head == "fc" else 1)
    if head in ("gap-linear", "fc"):
        weight = net.weight(CLASSES, inputs)
        if spelling % 2:
            net.op("Gemm", [rows, net.constant(weight), net.constant(net.bias(CLASSES))], transB=1)
        else:
            product = net.op("MatMul", [rows, net.constant(np.ascontiguousarray(weight.T))])
            net.op("Add", [product, net.constant(net.bias(CLASSES))])


def _average(net: _Builder, x: Map, spelling: int) -> str:
    name, channels, height, width = x

    def ints(*values: int) -> str:
        return net.constant(np.array(values))

    match spelling:
        case 0:
            return net.op("Flatten", [net.op("GlobalAveragePool", [name])])
        case 1:
            return net.op("ReduceMean", [name, ints(2, 3)], keepdims=0)
        case 2:
            rows = net.op("ReduceMean", [name, ints(-1)], keepdims=0)
            return net.op("ReduceMean", [rows, ints(-1)], keepdims=0)
        case 3:
            pooled = net.op("AveragePool", [name], kernel_shape=[height, width])
            return net.op("Squeeze", [pooled, ints(2, 3)])
        case 4:
            positions = net.op("Reshape", [name, ints(0, channels, -1)])
            return net.op("ReduceMean", [positions, ints(-1)], keepdims=0)
        case _:
            return net.op("Flatten", [net.op("ReduceMean", [name, ints(2, 3)])])
