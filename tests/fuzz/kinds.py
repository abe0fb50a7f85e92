"""The kinds of layers that a random network is made of: each reads the numbers of its `Layer` as it needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from .builder import Builder, Layer, Map

MOST_CHANNELS = 24
LARGEST = 16
"""Rows or columns of a map that is upsampled."""

_KERNELS = ((3, 3), (1, 1), (5, 5), (3, 1), (2, 2), (1, 4))
_WINDOWS: tuple[dict[str, Any], ...] = (
    {"pads": (1, 1, 1, 1)},
    {"strides": (2, 2), "pads": (1, 1, 1, 1)},
    {"bias": False},
    {"strides": (2, 1), "pads": (0, 1, 2, 0)},
    {"dilations": (2, 2), "pads": (2, 2, 2, 2)},
    {"strides": (2, 2), "pads": (0, 0, 1, 1), "bias": False},
)


def _conv(net: Builder, layer: Layer, x: Map) -> Map | None:
    return net.convolve(x, (8, 4, 12, 5, 16, 2)[layer.a], _KERNELS[layer.b], **_WINDOWS[layer.c])


def _depthwise(net: Builder, layer: Layer, x: Map) -> Map | None:
    times = 2 if layer.a > 3 and 2 * x[1] <= MOST_CHANNELS else 1
    return net.convolve(x, times * x[1], _KERNELS[layer.b], groups=x[1], **_WINDOWS[layer.c])


def _grouped(net: Builder, layer: Layer, x: Map) -> Map | None:
    groups = next(g for g in (2, 3, 1) if x[1] % g == 0)
    return net.convolve(x, groups * (2 + layer.a % 3), _KERNELS[layer.b], groups=groups, **_WINDOWS[layer.c])


def _relu(net: Builder, layer: Layer, x: Map) -> Map:
    return net.op("Relu", [x[0]]), *x[1:]


def _clip(net: Builder, layer: Layer, x: Map) -> Map:
    lo, hi = ((0, 6), (0, 1), (-1, 1), (None, 1.5), (-0.5, None), (0.0, 2.5))[layer.a]
    ends = ["" if end is None else net.constant(np.float32(end)) for end in (lo, hi)]
    return net.op("Clip", [x[0], *ends] if hi is not None else [x[0], ends[0]]), *x[1:]


def _function(net: Builder, layer: Layer, x: Map) -> Map:
    op_type = ("Sigmoid", "Tanh", "Elu", "HardSwish", "HardSigmoid", "LeakyRelu")[layer.a]
    y = net.op(op_type, [x[0]], **({"alpha": (0.01, 0.2)[layer.b % 2]} if op_type == "LeakyRelu" else {}))
    gates = op_type in ("Sigmoid", "HardSigmoid", "Tanh") and layer.c % 2
    return net.op("Mul", [x[0], y]) if gates else y, *x[1:]


def _composed(net: Builder, layer: Layer, x: Map) -> Map:
    """Mish, in full or not, and Softplus."""
    if layer.a % 3 == 0:
        return net.op("Mish", [x[0]]), *x[1:]
    y = net.op("Softplus", [x[0]])
    return net.op("Mul", [x[0], net.op("Tanh", [y])]) if layer.a % 3 == 1 else y, *x[1:]


def _prelu(net: Builder, layer: Layer, x: Map) -> Map:
    slope = net.rng.uniform(-0.5, 1, (x[1], 1, 1) if layer.a % 2 else (1,)).astype(np.float32)
    return net.op("PRelu", [x[0], net.constant(slope)]), *x[1:]


def _split(net: Builder, layer: Layer, x: Map) -> Map | None:
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


def _pool(op_type: str) -> Callable[[Builder, Layer, Map], Map | None]:
    def make(net: Builder, layer: Layer, x: Map) -> Map | None:
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


def _add(net: Builder, layer: Layer, x: Map) -> Map | None:
    if layer.a % 2:
        other = net.partner(layer, lambda value: value[1:] == x[1:])
    else:
        other = net.convolve(x, x[1], (3, 3), pads=(1, 1, 1, 1))
    return (net.op(("Add", "Sub")[layer.b % 2], [x[0], other[0]]), *x[1:]) if other else None


def _extreme(net: Builder, layer: Layer, x: Map) -> Map | None:
    if layer.a % 3 == 2:
        return net.op("Abs", [x[0]]), *x[1:]
    other = net.partner(layer, lambda value: value[1:] == x[1:])
    return (net.op(("Max", "Min")[layer.a % 3], [x[0], other[0]]), *x[1:]) if other else None


def _gather(net: Builder, layer: Layer, x: Map) -> Map:
    axis = 1 + layer.a % 3
    indices = net.rng.integers(0, x[axis], 1 + layer.b)
    sizes = [len(indices) if k == axis else x[k] for k in (1, 2, 3)]
    return net.op("Gather", [x[0], net.constant(indices)], axis=axis), *sizes


def _mul(net: Builder, layer: Layer, x: Map) -> Map | None:
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


def _concat(net: Builder, layer: Layer, x: Map) -> Map | None:
    other = net.partner(layer, lambda value: value[2:] == x[2:] and value[1] + x[1] <= MOST_CHANNELS)
    return (net.op("Concat", [x[0], other[0]], axis=1), x[1] + other[1], *x[2:]) if other else None


def _pad(net: Builder, layer: Layer, x: Map) -> Map:
    top, left, bottom, right = ((1, 1, 1, 1), (0, 0, 1, 2), (2, 1, 0, 0))[layer.a % 3]
    pads = net.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))
    value = () if layer.b % 3 else (net.constant(np.float32((0.5, -1.0)[layer.c % 2])),)
    return net.op("Pad", [x[0], pads, *value]), x[1], x[2] + top + bottom, x[3] + left + right


def _slice(net: Builder, layer: Layer, x: Map) -> Map | None:
    axis, start, step = 1 + layer.a % 3, layer.b % 3, 1 + layer.c % 2
    sizes = list(x[1:])
    stop = sizes[axis - 1] - layer.other % 2
    sizes[axis - 1] = len(range(start, stop, step))
    if sizes[axis - 1] < 1:
        return None
    cut = [net.constant(np.array([number])) for number in (start, stop, axis, step)]
    return net.op("Slice", [x[0], *cut]), *sizes


def _batch_norm(net: Builder, layer: Layer, x: Map) -> Map:
    rows = [net.per_channel(x[1]), net.bias(x[1]), net.bias(x[1]), net.per_channel(x[1])]
    return net.op("BatchNormalization", [x[0], *map(net.constant, rows)]), *x[1:]


def _affine(net: Builder, layer: Layer, x: Map) -> Map:
    op_type = ("Mul", "Add", "Sub", "Div")[layer.a % 4]
    shape = (x[1], 1, 1) if layer.b % 2 else (1, 1, 1)
    factor = net.constant(net.per_channel(shape[0]).reshape(shape))
    return net.op(op_type, [factor, x[0]] if layer.c % 2 and op_type != "Div" else [x[0], factor]), *x[1:]


def _mask(net: Builder, layer: Layer, x: Map) -> Map:
    values = net.rng.uniform(0.1, 1, (1, 1 if layer.b % 2 else x[1], *x[2:])).astype(np.float32)
    return net.op(("Mul", "Add", "Sub", "Div")[layer.a % 4], [x[0], net.constant(values)]), *x[1:]


def _shuffle(net: Builder, layer: Layer, x: Map) -> Map | None:
    name, channels, height, width = x
    if channels % 2:
        return None
    split = net.constant(np.array([net.batch, 2, channels // 2, height, width]))
    joined = net.constant(np.array([-1, channels, height, width]))
    turned = net.op("Transpose", [net.op("Reshape", [name, split])], perm=[0, 2, 1, 3, 4])
    return net.op("Reshape", [turned, joined]), *x[1:]


def _layer_norm(net: Builder, layer: Layer, x: Map) -> Map | None:
    """Over channels that are many enough not to be alike at any position."""
    if x[1] < 12:
        return None
    parameters = (np.ones(x[1], np.float32), net.per_channel(x[1]))[layer.a % 2], net.bias(x[1])
    last = net.op("Transpose", [x[0]], perm=[0, 2, 3, 1])
    normed = net.op("LayerNormalization", [last, *map(net.constant, parameters[: 1 + layer.b % 2])], axis=-1)
    return net.op("Transpose", [normed], perm=[0, 3, 1, 2]), *x[1:]


def _group_norm(net: Builder, layer: Layer, x: Map) -> Map | None:
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


def _response_norm(net: Builder, layer: Layer, x: Map) -> Map:
    """Of maps [N, C, H, W] or [N, H, W, C], added to them or not."""
    last = layer.a % 2
    spatial, channel = (np.array([1, 2]), np.array([3])) if last else (np.array([2, 3]), np.array([1]))
    y = net.op("Transpose", [x[0]], perm=[0, 2, 3, 1]) if last else x[0]
    length = net.op("ReduceL2", [y, net.constant(spatial)])
    mean = net.op("ReduceMean", [length, net.constant(channel)])
    share = net.op("Div", [length, net.op("Add", [mean, net.constant(np.float32(1e-6))])])
    scaled = net.op("Mul", [y, share])
    y = net.op("Add", [y, scaled]) if layer.b % 2 else scaled
    return net.op("Transpose", [y], perm=[0, 3, 1, 2]) if last else y, *x[1:]


def _quotient(net: Builder, layer: Layer, x: Map) -> Map | None:
    """By a gate between 1/4 and 5/4."""
    other = net.partner(layer, lambda value: value[1:] == x[1:] or value[1:] == (x[1], 1, 1))
    if other is None:
        return None
    gate = net.op("Add", [net.op("Sigmoid", [other[0]]), net.constant(np.float32(0.25))])
    return net.op("Div", [x[0], gate]), *x[1:]


def _linear_last(net: Builder, layer: Layer, x: Map) -> Map:
    """A Linear of [N, H, W, C]."""
    outputs = (8, 4, 12, 5, 16, 2)[layer.a]
    last = net.op("Transpose", [x[0]], perm=[0, 2, 3, 1])
    product = net.op("MatMul", [last, net.constant(np.ascontiguousarray(net.weight(outputs, x[1]).T))])
    y = net.op("Add", [product, net.constant(net.bias(outputs))])
    y = net.op("Relu", [y]) if layer.b % 2 else y
    return net.op("Transpose", [y], perm=[0, 3, 1, 2]), outputs, *x[2:]


def _upsample(net: Builder, layer: Layer, x: Map) -> Map | None:
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
            sizes = net.constant(np.array([net.batch, channels, height + layer.b, width + layer.c]))
            y = net.op("Resize", [name, "", "", sizes], mode="nearest", nearest_mode="floor")
            return y, channels, height + layer.b, width + layer.c
        case _:
            scales = net.constant(np.array([1, 1, 2, 2], np.float32))
            return net.op("Resize", [name, "", scales], mode="linear"), channels, 2 * height, 2 * width


KINDS: dict[str, Callable[[Builder, Layer, Map], Map | None]] = {
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
    "extreme": _extreme,
    "gather": _gather,
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
    "response_norm": _response_norm,
    "quotient": _quotient,
    "linear_last": _linear_last,
    "upsample": _upsample,
}
