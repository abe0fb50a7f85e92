"""ConvTranspose as a Conv of one output channel per phase, and a depth-to-space.

Rules:
    1. With stride s, kernel w and padding p, output q s + r - p is the sum over j of x[q - j] w[r + j s] (Dumoulin and
       Visin, 2016, arXiv:1603.07285, section 4.6). So the s outputs of each q are channels of a Conv of x whose kernel
       is w's taps r, r + s, r + 2 s, ... in reverse; depth-to-space puts them side by side, and a Slice crops them.
    2. A Relu or Clip behind it alone goes in front of the depth-to-space, where the Conv takes it in; so does a
       BatchNormalization.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.graph.depth_to_space import depth_to_space
from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    graph_of,
    new_node,
    operand,
    refuse_between_quantizers,
    required_constant,
    shape_of,
    sole_consumer,
    take_over,
    unsupported,
)
from edgegap.graph.splitting import slice_of

_PER_CHANNEL = 5
"""Inputs of a BatchNormalization: x, and four of one value per channel."""


def rewrite_transposed_convolutions(model: ir.Model) -> bool:
    """Apply the rules above in place; says whether anything changed."""
    changed = False
    for node in model.graph:
        if node.op_type == "ConvTranspose":
            _rewrite(node)
            changed = True
    return changed


def _rewrite(node: ir.Node) -> None:
    refuse_between_quantizers(node)
    weight = required_constant(node, 1, "weight")
    if weight.ndim != 4:
        what = f"it is a transposed convolution of {weight.ndim - 2} dimensions"
        raise unsupported(node, what, "Use ConvTranspose2d.")
    if any(d != 1 for d in attribute(node, "dilations", [1, 1])):
        raise unsupported(node, "it is dilated", "Use ConvTranspose2d with dilation=1.")
    if attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID") or "output_shape" in node.attributes:
        raise unsupported(node, "its padding is not written out", "Export it with pads and output_padding.")

    x, y = operand(node), node.outputs[0]
    name, strides = str(y.name), attribute(node, "strides", [1, 1])
    pads = attribute(node, "pads", [0, 0, 0, 0])
    axes = [
        _Axis(size, kernel, stride, first, out)
        for size, kernel, stride, first, out in zip(
            shape_of(x)[2:], weight.shape[2:], strides, pads[:2], shape_of(y)[2:], strict=True
        )
    ]
    groups, phases = attribute(node, "group", 1), strides[0] * strides[1]
    kernel = _phases(weight, groups, strides)
    outputs = len(kernel)
    has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
    bias = required_constant(node, 2, "bias") if has_bias else np.zeros(outputs // phases, np.float32)
    inputs = [x, add_initializer(graph_of(node), f"{operand(node, 1).name}_phases", kernel)]
    inputs.append(add_initializer(graph_of(node), f"{name}_bias", np.repeat(bias, phases)))
    attributes = {
        "kernel_shape": list(kernel.shape[2:]),
        "strides": [1, 1],
        "dilations": [1, 1],
        "group": groups,
        "pads": [axis.before for axis in axes] + [axis.after for axis in axes],
    }
    shape = (shape_of(x)[0], outputs, *(axis.positions for axis in axes))
    value = new_node(node, "Conv", inputs, attributes, name=f"{name}_phases", shape=shape).outputs[0]
    last = node
    while (reader := sole_consumer(last.outputs[0])) is not None and _is_alike_in_all_phases(reader):
        rest = list(reader.inputs[1:])
        if reader.op_type == "BatchNormalization":
            rest = [_repeated(reader, k, phases) for k in range(1, _PER_CHANNEL)]
        given = {key: item.value for key, item in reader.attributes.items()}
        behind = f"{name}_phases_{reader.op_type}"
        value = new_node(node, reader.op_type, [value, *rest], given, name=behind, shape=shape).outputs[0]
        last = reader
    value = depth_to_space(node, value, (strides[0], strides[1]), name=name)
    for k, axis in enumerate(axes, start=2):
        if axis.crop or shape_of(value)[k] != axis.out:
            value = slice_of(node, value, k, axis.crop, axis.crop + axis.out, f"{name}_cropped{k}")
    take_over(last, value)


@dataclass(frozen=True)
class _Axis:
    """One axis of rule 1.

    Args:
        size: rows of x.
        kernel: rows of the kernel.
        stride: from one row of x to the next, in rows of the output.
        first: rows of the output that padding takes away in front.
        out: rows of the output.
    """

    size: int
    kernel: int
    stride: int
    first: int
    out: int

    @property
    def taps(self) -> int:
        """Rows of the Conv's kernel."""
        return -(-self.kernel // self.stride)

    @property
    def before(self) -> int:
        """The Conv's padding in front: from the first q that gives a row of the output."""
        return max(0, self.taps - 1 - self.first // self.stride)

    @property
    def after(self) -> int:
        """The Conv's padding behind: to the last such q."""
        return max(0, -(-(self.first + self.out) // self.stride) - self.size)

    @property
    def positions(self) -> int:
        """Rows that the Conv makes."""
        return self.before + self.size + self.after - self.taps + 1

    @property
    def crop(self) -> int:
        """Rows to be cropped in front, behind the depth-to-space."""
        return self.first - (self.taps - 1 - self.before) * self.stride


def _phases(weight: NDArray[np.float32], groups: int, strides: list[int]) -> NDArray[np.float32]:
    """[C, O / groups, kh, kw] as [O * sh * sw, C / groups, jh, jw]: by output channel and phase (i, j)."""
    sh, sw = strides
    channels, outputs, kh, kw = weight.shape
    jh, jw = -(-kh // sh), -(-kw // sw)
    full = np.zeros((channels, outputs, jh * sh, jw * sw), np.float32)
    full[:, :, :kh, :kw] = weight
    taps = full.reshape(groups, channels // groups, outputs, jh, sh, jw, sw)[:, :, :, ::-1, :, ::-1]
    return np.ascontiguousarray(
        taps.transpose(0, 2, 4, 6, 1, 3, 5).reshape(groups * outputs * sh * sw, channels // groups, jh, jw)
    )


def _is_alike_in_all_phases(reader: ir.Node) -> bool:
    given = all(value is None or constant(value) is not None for value in reader.inputs[1:])
    return reader.op_type in ("BatchNormalization", "Clip", "Relu") and given


def _repeated(node: ir.Node, index: int, phases: int) -> ir.Value:
    array = required_constant(node, index, "parameters")
    return add_initializer(graph_of(node), f"{operand(node, index).name}_phases", np.repeat(array, phases))
