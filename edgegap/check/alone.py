"""Each quantized layer alone in int8: float activations in, its own quantizers and integer weights, float out.

The layer is written behind the float network as fake quantization (Jacob et al., 'Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference', 2018, section 3): activations are rounded to their grid and
stay float, weights are the artifact's integers times their scales. So nothing here runs in integer kernels, whatever
the CPU; float32 sums can round an output otherwise than the artifact only within float32 noise of a tie.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import InternalError
from edgegap.graph.nodes import add_initializer, attribute, constant, describe, operand, required_constant, shape_of
from edgegap.quantize.floats import float_nodes
from edgegap.quantize.lower import ARITHMETIC
from edgegap.quantize.parameters import QMAX, Grid
from edgegap.quantize.verify import grid_of

_SUFFIX = "_quantized"


@dataclass(frozen=True)
class Layer:
    """A quantized activation that the float network has too.

    Args:
        name: of the float activation.
        integers: name of the quantized one in the artifact.
        node: the arithmetic of the artifact that computes it; None for the input.
        grid: of the integers.
        reads: the layers whose activations it reads, by name.
    """

    name: str
    integers: str
    node: ir.Node | None
    grid: Grid
    reads: tuple[str, ...] = ()


def layers_of(int8: ir.Model, network: ir.Model) -> list[Layer]:
    """The quantized activations of an artifact that have a twin of the same name in the float network, in order.

    Requantized copies and other values that only the artifact has are not among them, nor are values that are moved
    and not computed, nor those that a layer in float computes.
    """
    known, floats = _values(network), float_nodes(int8)
    found: dict[str, Layer] = {}
    for node in int8.graph:
        if node.op_type != "QuantizeLinear":
            continue
        value, computed = node.outputs[0], operand(node).producer()
        name, grid = twin_name(value), grid_of(value)
        if name in known and grid is not None and computed not in floats:
            found[name] = Layer(name, str(value.name), computed, grid, tuple(_read(computed, found)))
    return list(found.values())


def _read(node: ir.Node | None, layers: Container[str]) -> Iterator[str]:
    """The names of the nearest layers behind a node."""
    for value in () if node is None else node.inputs:
        producer = None if value is None else value.producer()
        if producer is not None and producer.op_type == "QuantizeLinear" and twin_name(producer.outputs[0]) in layers:
            yield twin_name(producer.outputs[0])
        else:
            yield from _read(producer, layers)


def twin_name(integers: ir.Value) -> str:
    """What the float network calls an integer activation of the artifact; its output keeps its name."""
    return str(integers.name).removesuffix(_SUFFIX)


def layers_alone(network: ir.Model, int8: ir.Model, layers: Sequence[Layer]) -> tuple[ir.Model, dict[str, str]]:
    """The float network with every layer alone behind it.

    Args:
        network: float, canonical; only read.
        int8: its QDQ model in normal form.
        layers: from `layers_of`.

    Returns:
        The network with further nodes, and by each layer's name that of the dequantized value it computes alone.
    """
    extended = network.clone()
    writer = _Alone(extended)
    by_name = {value.name: value for node in int8.graph for value in node.outputs}
    return extended, {layer.name: str(writer.layer(by_name[layer.integers]).name) for layer in layers}


class _Alone:
    """Appends to a float graph; knows the artifact's integer activations by the float values that stand for them."""

    def __init__(self, network: ir.Model) -> None:
        self._graph = network.graph
        self._twins = _values(network)
        self._reals: dict[str, ir.Value] = {}

    def layer(self, integers: ir.Value) -> ir.Value:
        """What the QuantizeLinear behind `integers` gives, dequantized, when its layer alone is in int8."""
        quantizer = _producer(integers)
        source = operand(quantizer)
        arithmetic = source.producer()
        real = self._twins[str(source.name)] if arithmetic is None else self._arithmetic(arithmetic)
        return self._round(real, integers)

    def _real(self, integers: ir.Value) -> ir.Value:
        """An activation as a layer reads it: the float network's, rounded to its grid; without a twin, computed."""
        name = str(integers.name)
        if name not in self._reals:
            twin = self._twins.get(twin_name(integers))
            if twin is not None:
                self._reals[name] = self._round(twin, integers)
            elif _producer(integers).op_type == "QuantizeLinear":
                self._reals[name] = self.layer(integers)
            else:
                moved = _producer(integers)
                inputs = [self._integers(value) for value in moved.inputs if value is not None]
                self._reals[name] = self._add(moved.op_type, inputs, attributes=moved.attributes)
        return self._reals[name]

    def _integers(self, value: ir.Value) -> ir.Value:
        """An input of an op that moves: an activation, or a constant such as a shape."""
        array = constant(value)
        return self._real(value) if array is None else self._constant(array)

    def _arithmetic(self, node: ir.Node) -> ir.Value:
        if node.op_type not in ARITHMETIC:
            raise InternalError("this op has no place in the normal form", where=describe(node))
        inputs = [self._operand(value) for value in node.inputs if value is not None]
        if node.op_type == "LayerNormalization":  # the float op that the function of the normal form stands for
            ones = self._constant(np.ones(shape_of(node.outputs[0])[-1], np.float32))
            return self._add(node.op_type, [*inputs, ones], attributes={"epsilon": attribute(node, "epsilon")})
        # likewise, a GlobalLpPool of p = 2, and a Div
        return self._add(node.op_type, inputs, attributes={} if node.domain else node.attributes)

    def _operand(self, dequantized: ir.Value) -> ir.Value:
        dequantize = _producer(dequantized)
        integers = operand(dequantize)
        if constant(integers) is None:
            return self._real(integers)
        return self._constant(dequantized_constant(dequantize))

    def _round(self, x: ir.Value, integers: ir.Value) -> ir.Value:
        """`x` rounded to the grid of `integers`, as QuantizeLinear and DequantizeLinear do it."""
        grid = grid_of(integers)
        if grid is None:
            raise InternalError("has no grid", where=str(integers.name))
        scale = self._constant(np.asarray(grid.scale, np.float32))
        ends = [self._constant(np.asarray(end - grid.zero_point, np.float32)) for end in (0, QMAX)]
        steps = self._add("Round", [self._add("Div", [x, scale])])
        rounded = self._add("Mul", [self._add("Clip", [steps, *ends]), scale])
        rounded.shape = integers.shape
        return rounded

    def _constant(self, array: NDArray[np.generic]) -> ir.Value:
        return add_initializer(self._graph, "alone", array)

    def _add(
        self, op_type: str, inputs: Sequence[ir.Value], *, attributes: Mapping[str, Any] | None = None
    ) -> ir.Value:
        output = ir.val(f"alone/{len(self._graph)}", dtype=ir.DataType.FLOAT)
        self._graph.append(ir.node(op_type, inputs, attributes=dict(attributes or {}), outputs=[output]))
        return output


def dequantized_constant(node: ir.Node) -> NDArray[np.float32]:
    """The real values of the constant behind a DequantizeLinear, per channel on axis 0 or as a whole."""
    integers, scale, zero = (required_constant(node, k, what) for k, what in enumerate(("integers", "scale", "zero")))
    shape = (-1, *(1,) * (integers.ndim - 1)) if scale.ndim else ()
    real: NDArray[np.float32] = (integers.astype(np.float32) - zero.reshape(shape).astype(np.float32)) * scale.reshape(
        shape
    )
    return real


def _values(model: ir.Model) -> dict[str, ir.Value]:
    """The activations of a model, its input included, by name."""
    values = [*model.graph.inputs, *(value for node in model.graph for value in node.outputs)]
    return {str(value.name): value for value in values}


def _producer(value: ir.Value) -> ir.Node:
    node = value.producer()
    if node is None:
        raise InternalError("nothing computes it", where=str(value.name))
    return node
