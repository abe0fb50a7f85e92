"""What a QDQ file states, read and checked.

Rules:
    1. Constants lose their QuantizeLinear and DequantizeLinear: they become the float values that their integers stand
       for. The scales of weights, and biases that are integers, are kept aside.
    2. An op that moves integers stands between a DequantizeLinear and a QuantizeLinear of its own.
    3. What is left is QuantizeLinear and DequantizeLinear in pairs of the same parameters, around activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import ModelError
from edgegap.graph.canonical import apply_passes, canonicalize
from edgegap.graph.constants import fold_constants
from edgegap.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    graph_of,
    operand,
    replace,
    unsupported,
)
from edgegap.graph.shapes import bind_input
from edgegap.qdq.parameters import affine_of, dequantized, grid_of_activation, quantized, state_zero_point
from edgegap.quantize.lower import PASSING

PAIR = ("QuantizeLinear", "DequantizeLinear")
_LINEAR = ("Conv", "Gemm", "MatMul")


@dataclass(frozen=True)
class Bias:
    """An integer bias.

    Args:
        integers: [O].
        real: float32 [O], what they stand for.
        scale: float32 [O].
    """

    integers: NDArray[np.integer]
    real: NDArray[np.float32]
    scale: NDArray[np.float32]


@dataclass(frozen=True)
class Qdq:
    """A quantization that was read.

    Args:
        model: canonical, but for pairs of QuantizeLinear and DequantizeLinear around its activations; the constants are
            float.
        float_model: the same network without them, canonical: the float reference.
        original: the float reference before any pass of a float network, serialized.
        weight_scales: float32, [O] or [1], of every linear layer with an integer weight, by the name of its output.
        biases: of the linear layers with an integer bias, likewise.
    """

    model: ir.Model
    float_model: ir.Model
    original: bytes
    weight_scales: dict[str, NDArray[np.float32]]
    biases: dict[str, Bias]


def is_quantized(model: ir.Model) -> bool:
    """Whether a model has QuantizeLinear or DequantizeLinear nodes."""
    return any(node.op_type in PAIR for node in model.graph)


def read_qdq(model: ir.Model, input_shape: tuple[int, ...]) -> Qdq:
    """Read a QDQ model, which is only read.

    Args:
        model: with one input.
        input_shape: N, C, H, W to bind.

    Raises:
        UnsupportedOpError: a form of quantization that both runtimes cannot compute exactly, naming the node.
        ModelError: as `canonicalize`.
    """
    model = model.clone()
    fold_constants(model)
    for node in model.graph:
        if node.op_type in PAIR:
            node.domain = ""
            state_zero_point(node)
            affine_of(node)
        _check_form(node)
    _integers_of_constants(model)
    weight_scales, biases = {}, {}
    for node in model.graph:
        if node.op_type in _LINEAR:
            name = str(node.outputs[0].name)
            weight, bias = _stated(operand(node, 1)), _stated(node.inputs[2] if len(node.inputs) > 2 else None)
            if weight is not None:
                weight_scales[name] = _weight_scale(node, weight)
            if bias is not None:
                biases[name] = _bias(node, bias)
    _dequantize_constants(model)
    _surround_moves(model)
    _check_pairs(model)
    float_model = without_pairs(model)
    original: bytes = ir.to_proto(float_model).SerializeToString()
    canonicalize(float_model, input_shape)
    bind_input(model, input_shape)
    apply_passes(model)
    return Qdq(model, float_model, original, weight_scales, biases)


def without_pairs(model: ir.Model) -> ir.Model:
    """A copy of a model that was read, without QuantizeLinear and DequantizeLinear."""
    copy = model.clone()
    for node in copy.graph:
        if node.op_type in PAIR:
            replace(node, operand(node))
    for output in copy.graph.outputs:
        output.type = ir.TensorType(ir.DataType.FLOAT)
    return copy


def _check_form(node: ir.Node) -> None:
    """What the passes of a float network would rewrite into several nodes, of which the file states one grid only."""
    computed = [value for value in node.inputs if value is not None and constant(value) is None]
    if node.op_type == "AveragePool" and any(attribute(node, "pads", [0])):
        if not attribute(node, "count_include_pad", 0):
            raise unsupported(node, "its padding does not count", "Use count_include_pad=True.")
    elif node.op_type in ("Sub", "Div") and len(computed) == 2:
        raise unsupported(node, f"a {node.op_type} of two activations", "Quantize the network with EdgeGAP: --int8.")


def _integers_of_constants(model: ir.Model) -> None:
    """Evaluate QuantizeLinear of constants, and what stands between it and a DequantizeLinear."""
    for node in model.graph:
        array = constant(operand(node)) if node.op_type == "QuantizeLinear" else None
        if array is not None:
            replace(node, add_initializer(graph_of(node), str(node.outputs[0].name), quantized(array, affine_of(node))))
    fold_constants(model)


def _stated(value: ir.Value | None) -> tuple[ir.Node, bool] | None:
    """The DequantizeLinear of the integer constant behind an input, and whether a Transpose stands between."""
    node = None if value is None else value.producer()
    turned = node is not None and node.op_type == "Transpose"
    if node is not None and turned:
        node = operand(node).producer()
    if node is None or node.op_type != "DequantizeLinear" or constant(operand(node)) is None:
        return None
    return node, turned


def _weight_scale(layer: ir.Node, weight: tuple[ir.Node, bool]) -> NDArray[np.float32]:
    node, turned = weight
    stated, integers = affine_of(node), constant(operand(node))
    middle = 128 if stated.zero_point.dtype == np.uint8 else 0
    if stated.zero_point.dtype not in (np.int8, np.uint8) or (stated.zero_point != middle).any():
        raise unsupported(
            layer,
            f"its weight is asymmetric: zero point {stated.zero_point.reshape(-1)[0]} of {stated.zero_point.dtype}",
            "Quantize weights symmetrically (WeightSymmetric=True), as both runtimes need it.",
        )
    outputs = 0 if layer.op_type == "Conv" or attribute(layer, "transB", 0) else 1
    if stated.scale.size > 1 and integers is not None and stated.axis % integers.ndim != (outputs ^ turned):
        raise unsupported(layer, "its weight has one scale per input channel", "Use one per output channel, or one.")
    return stated.scale.reshape(-1)


def _bias(layer: ir.Node, bias: tuple[ir.Node, bool]) -> Bias:
    node, _ = bias
    stated, integers = affine_of(node), constant(operand(node))
    if integers is None or stated.zero_point.any():
        raise unsupported(layer, "its bias is asymmetric", "Quantize biases around 0, or leave them in float.")
    flat = integers.reshape(-1)
    scale = np.broadcast_to(stated.scale.reshape(-1), flat.shape).astype(np.float32)
    return Bias(flat, dequantized(integers, stated).reshape(-1), scale)


def _dequantize_constants(model: ir.Model) -> None:
    """Rule 1."""
    for node in model.graph:
        array = constant(operand(node)) if node.op_type == "DequantizeLinear" else None
        if array is not None:
            name = str(node.outputs[0].name)
            replace(node, add_initializer(graph_of(node), name, dequantized(array, affine_of(node))))
    fold_constants(model)


def _surround_moves(model: ir.Model) -> None:
    """Rule 2."""
    for node in model.graph:
        first = operand(node).producer() if node.inputs and node.inputs[0] is not None else None
        if node.op_type not in PASSING or first is None or first.op_type != "QuantizeLinear":
            continue
        parameters = list(first.inputs[1:])
        count = len(node.inputs) if node.op_type == "Concat" else 1
        for index in range(count):
            producer = operand(node, index).producer()
            if producer is None or producer.op_type != "QuantizeLinear":
                raise unsupported(node, "it joins integers to other values", "Quantize all of its inputs.")
            real = _pair_half("DequantizeLinear", operand(node, index), list(producer.inputs[1:]))
            graph_of(node).insert_before(node, real)
            node.replace_input_with(index, real.outputs[0])
        fill = constant(node.inputs[2]) if node.op_type == "Pad" and len(node.inputs) > 2 else None
        if fill is not None:
            real_fill = dequantized(fill, affine_of(first))
            node.replace_input_with(2, add_initializer(graph_of(node), f"{node.name}_fill", real_fill))
        y = node.outputs[0]
        y.type = None  # it was integers
        consumers = [(use.node, use.idx) for use in y.uses()]
        integers = _pair_half("QuantizeLinear", y, parameters)
        graph_of(node).insert_after(node, integers)
        for consumer, index in consumers:
            consumer.replace_input_with(index, integers.outputs[0])


def _pair_half(op_type: str, x: ir.Value, parameters: list[Any]) -> ir.Node:
    what = "real" if op_type == "DequantizeLinear" else "integer"
    return ir.node(op_type, [x, *parameters], name=f"{x.name}_{what}_node", outputs=[ir.val(f"{x.name}_{what}")])


def _check_pairs(model: ir.Model) -> None:
    """Rule 3."""
    for node in model.graph:
        if node.op_type == "QuantizeLinear":
            grid = grid_of_activation(node)
            readers = node.outputs[0].consumers()
            if not readers or node.outputs[0].is_graph_output():
                hint = "Let the network give float values: a DequantizeLinear at its end."
                raise unsupported(node, "no DequantizeLinear follows it", hint)
            for reader in readers:
                if reader.op_type != "DequantizeLinear":
                    what = f"no DequantizeLinear follows it, but a {reader.op_type}"
                    raise unsupported(node, what, "Quantize the network in the QDQ format.")
                if grid_of_activation(reader) != grid:
                    hint = "Quantize the network again: this file is not what a quantizer writes."
                    raise unsupported(reader, "it has other parameters than the QuantizeLinear before it", hint)
        elif node.op_type == "DequantizeLinear":
            first = operand(node).producer()
            if first is None:
                raise ModelError(
                    f"the input '{operand(node).name}' is integers already",
                    hint="Let the network take float values: a QuantizeLinear at its start.",
                )
            if first.op_type != "QuantizeLinear":
                hint = "Quantize the network to 8 bits in the QDQ format."
                raise unsupported(node, f"it reads the integers of a {first.op_type}", hint)
