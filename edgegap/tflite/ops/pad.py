"""Padding: TFLite's SAME where the pads are those of SAME, an operator of its own everywhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.nodes import attribute, constant, operand, required_constant, shape_of, unsupported
from edgegap.tflite.layout import permuted
from edgegap.tflite.tensors import signed
from edgegap.tflite.writer import Writer


@dataclass(frozen=True)
class Window:
    """What a Conv or pool moves over the map; each field is (vertical, horizontal), pads [top, left, bottom, right]."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]

    @classmethod
    def of(cls, node: ir.Node, kernel: tuple[int, ...]) -> Window:
        """The window of `node`; raises UnsupportedOpError where it is not two-dimensional."""
        if len(kernel) != 2 or len(shape_of(operand(node))) != 4:
            raise unsupported(node, f"its window has {len(kernel)} dimensions", "Only images [N, C, H, W] are written.")
        strides, dilations = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
        pads = attribute(node, "pads", [0, 0, 0, 0])
        return cls((kernel[0], kernel[1]), tuple(strides), tuple(dilations), tuple(pads))

    def padding(self, height: int, width: int) -> int | None:
        """The schema.Padding that these pads are on a map of this size, or None where they are neither."""
        if not any(self.pads):
            return int(schema.Padding.VALID)
        before, after = [], []
        for d, size in enumerate((height, width)):
            reach = (self.kernel[d] - 1) * self.dilations[d] + 1
            total = max((-(-size // self.strides[d]) - 1) * self.strides[d] + reach - size, 0)
            before.append(total // 2)
            after.append(total - total // 2)
        return int(schema.Padding.SAME) if self.pads == (*before, *after) else None

    def pad(self, x: int, w: Writer, name: str, value: int | None = None) -> int:
        """Spell the pads as an operator on NHWC tensor `x`; see `spell_pad` for `value`."""
        top, left, bottom, right = self.pads
        return spell_pad(x, w, ((0, 0), (top, bottom), (left, right), (0, 0)), name, value=value)


def spell_pad(
    x: int,
    w: Writer,
    pads: tuple[tuple[int, int], ...],
    name: str,
    *,
    value: int | None = None,
    into: int | None = None,
) -> int:
    """Spell PAD (with real zero), or PADV2 where `value` is a tensor.

    Args:
        x: the tensor to pad.
        w: the writer.
        pads: (before, after) per axis of the tensor.
        name: of the new tensor, if there is none to write `into`.
        value: a tensor of one element, of the type and parameters of `x`.
        into: the tensor to write.

    Returns:
        The padded tensor.
    """
    if into is None:
        shape = [before + size + after for size, (before, after) in zip(w.builder.shape(x), pads, strict=True)]
        into = w.builder.like(x, name, shape)
    inputs = [x, w.indices(f"{name}_pads", pads)]
    if value is None:
        w.builder.operator(schema.BuiltinOperator.PAD, inputs, [into], schema.PadOptionsT())
    else:
        w.builder.operator(schema.BuiltinOperator.PADV2, [*inputs, value], [into], schema.PadV2OptionsT())
    return into


def pad(node: ir.Node, w: Writer) -> None:
    """PAD, or PADV2 where the padding is not real zero (the zero point, among integers)."""
    x, y = operand(node), node.outputs[0]
    amounts = required_constant(node, 1, "amount of padding")
    if attribute(node, "mode", "constant") != "constant" or (amounts < 0).any():
        raise unsupported(node, "it does not pad with a constant", "Pad with zeros, or pad the images beforehand.")
    quantization, layout = w.integers.get(x), w.layouts.axes[y]
    given = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    zero_dtype = np.float32 if quantization is None else np.uint8 if x.dtype == ir.DataType.UINT8 else np.int8
    filler = signed(np.zeros(1, zero_dtype) if given is None else given.reshape(1))
    real_zero = 0 if quantization is None else quantization.zero_point[0]
    value = None if filler[0] == real_zero else w.builder.constant(f"{y.name}_filler", filler, quantization)
    rank = len(layout)
    pads = tuple(
        zip(
            permuted(tuple(amounts[:rank].tolist()), layout),
            permuted(tuple(amounts[rank:].tolist()), layout),
            strict=True,
        )
    )
    spell_pad(w.read(x, layout), w, pads, str(y.name), value=value, into=w.define(y))
