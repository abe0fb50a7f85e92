"""Random small classifiers: a `Network` says everything, so that a failing one can be pasted into `regressions.py`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from .builder import Builder, Layer, Map
from .kinds import KINDS

CLASSES = 6

HEADS = ("gap", "gap-linear", "fc", "none")


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
        net = Builder(("x", *self.shape[1:]), self.batch, self.wild, self.seed)
        for layer in self.layers:
            made = KINDS[layer.kind](net, layer, net.pick(layer.source))
            if made is not None:
                net.maps.append(made)
        _head(net, self.head, self.spelling)
        net.nodes[-1].output[0] = "y"
        infos = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (("x", self.shape), ("y", ("rows", "classes")))
        ]
        graph = helper.make_graph(net.nodes, "network", infos[:1], infos[1:], net.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


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


def _head(net: Builder, head: str, spelling: int) -> None:
    x = net.pick(0)
    if head in ("gap", "none"):
        made = net.convolve(x, CLASSES, (1, 1))
        assert made is not None
        x = KINDS["relu"](net, Layer("relu"), made) or made if spelling % 2 else made
    rows = _average(net, x, spelling) if head in ("gap", "gap-linear") else net.op("Flatten", [x[0]])
    inputs = x[1] * (x[2] * x[3] if head == "fc" else 1)
    if head in ("gap-linear", "fc"):
        weight = net.weight(CLASSES, inputs)
        if spelling % 2:
            net.op("Gemm", [rows, net.constant(weight), net.constant(net.bias(CLASSES))], transB=1)
        else:
            product = net.op("MatMul", [rows, net.constant(np.ascontiguousarray(weight.T))])
            net.op("Add", [product, net.constant(net.bias(CLASSES))])


def _average(net: Builder, x: Map, spelling: int) -> str:
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
