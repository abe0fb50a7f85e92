"""Write a lowered float model and its grids as one QDQ model in normal form.

1. Arithmetic (Conv, Gemm, Add, Mul, GlobalAveragePool) reads DequantizeLinear values and is read by one
   QuantizeLinear.
2. Everything that only moves values works on the integers themselves, with nothing around it.
3. Relu and Clip are gone: the integers saturate where they would clip.
4. Activations are uint8 with one scale, weights int8 with zero point 0 and one scale per output channel, biases int32
   at the scale of the accumulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import NameFixPass

from edgegap.graph.nodes import OPSET, constant, operand, unsupported
from edgegap.graph.shapes import infer_shapes
from edgegap.quantize.classes import limits_of
from edgegap.quantize.lower import ACTIVATIONS, PASSING
from edgegap.quantize.parameters import Grid
from edgegap.quantize.weights import LinearParameters

Io = Literal["float", "int8"]

IR_VERSION = 8
"""The IR version that came with opset 18."""


def write_normal_form(
    model: ir.Model, grids: Mapping[str, Grid], linear: Mapping[str, LinearParameters], io: Io
) -> ir.Model:
    """The QDQ model of a lowered `model`, which is only read.

    Args:
        model: a lowered model.
        grids: of every activation and constant operand, by name.
        linear: the integer parameters of every Conv and Gemm, by the name of its output.
        io: whether the QDQ model takes and gives float values, or uint8 integers.
    """
    writer = _Writer(grids)
    source, target = model.graph.inputs[0], model.graph.outputs[0]
    dtype = ir.DataType.FLOAT if io == "float" else ir.DataType.UINT8
    graph_input = ir.val(str(source.name), dtype=dtype, shape=source.shape)
    if io == "float":
        writer.quantize(graph_input, str(source.name), None)
    else:
        writer.integers[str(source.name)] = graph_input
    for node in model.graph:
        if node.op_type in ACTIVATIONS:
            writer.absorb_activation(node)
        elif node.op_type in PASSING:
            writer.move(node)
        else:
            writer.compute(node, linear.get(str(node.outputs[0].name)))
    result = writer.real(target) if io == "float" else writer.integers[str(target.name)]
    result.name = target.name
    graph = ir.Graph(
        [graph_input],
        [result],
        nodes=writer.nodes,
        initializers=list(writer.initializers.values()),
        opset_imports={"": OPSET},
        name=model.graph.name or "network",
    )
    written = ir.Model(graph, ir_version=IR_VERSION, producer_name="edgegap")
    NameFixPass()(written)
    infer_shapes(written)
    return written


class _Writer:
    """Nodes and initializers of the QDQ model so far; values are known by their names in the lowered model."""

    def __init__(self, grids: Mapping[str, Grid]) -> None:
        self.nodes: list[ir.Node] = []
        self.initializers: dict[str, ir.Value] = {}
        self.integers: dict[str, ir.Value] = {}
        self._grids = grids
        self._reals: dict[str, ir.Value] = {}
        self._unclipped: dict[str, ir.Value] = {}

    def compute(self, node: ir.Node, linear: LinearParameters | None) -> None:
        """Rule 1."""
        y = node.outputs[0]
        if linear is None:
            inputs = [self.real(value) for value in node.inputs if value is not None]
        else:
            inputs = [self.real(operand(node)), *self._linear_constants(node, linear)]
        name = f"{y.name}_float" if y.is_graph_output() else str(y.name)
        result = self._add(node.op_type, inputs, name, node, node.attributes)
        if str(y.name) in self._grids:
            self.quantize(result, str(y.name), node)
        else:
            self._unclipped[str(y.name)] = result

    def move(self, node: ir.Node) -> None:
        """Rule 2."""
        y = node.outputs[0]
        inputs = []
        for value in node.inputs:
            if value is not None:
                array = constant(value)
                inputs.append(
                    self.integers[str(value.name)] if array is None else self._constant(str(value.name), array)
                )
        if node.op_type == "Pad":
            fill = constant(node.inputs[2]) if len(node.inputs) > 2 else None
            integer = self._grids[str(y.name)].quantize(np.zeros(()) if fill is None else fill.reshape(()))
            inputs = [*inputs[:2], self._constant(f"{y.name}_fill", integer)]
        self.integers[str(y.name)] = self._add(node.op_type, inputs, f"{y.name}_quantized", node, node.attributes)

    def absorb_activation(self, node: ir.Node) -> None:
        """Rule 3: quantize what stands in front of a Relu or Clip on the grid behind it.

        Saturation clips to within one step of the limits when they lie in the outermost steps of the grid, or beyond.
        """
        grid, limits = self._grids[str(node.outputs[0].name)], limits_of(node)
        if limits.lo >= grid.lo + grid.scale or limits.hi <= grid.hi - grid.scale:
            what = f"what it clips is so much larger that no grid clips it alike (nearest: {grid.lo:g} to {grid.hi:g})"
            raise unsupported(node, what, "Clip to a wider range.")
        self.quantize(self._unclipped[str(operand(node).name)], str(node.outputs[0].name), node)

    def quantize(self, real: ir.Value, name: str, node: ir.Node | None) -> None:
        """Put the QuantizeLinear of the activation `name` behind the float value `real`."""
        inputs = [real, *self._parameters(name)]
        self.integers[name] = self._add("QuantizeLinear", inputs, f"{name}_quantized", node)

    def real(self, value: ir.Value) -> ir.Value:
        """The dequantized form of an activation or of a constant operand; made once."""
        name = str(value.name)
        if name not in self._reals:
            array, grid = constant(value), self._grids[name]
            if array is None:
                integers = self.integers[name]
            else:
                integers = self._constant(f"{name}_quantized", grid.quantize(array))
            inputs = [integers, *self._parameters(name)]
            self._reals[name] = self._add("DequantizeLinear", inputs, f"{name}_dequantized", value.producer())
        return self._reals[name]

    def _linear_constants(self, node: ir.Node, linear: LinearParameters) -> list[ir.Value]:
        arrays: dict[str, tuple[NDArray[Any], NDArray[np.float32]]] = {
            "weight": (linear.weight, linear.weight_scale),
            "bias": (linear.bias, linear.bias_scale),
        }
        values = []
        for what, (array, scale) in arrays.items():
            name = f"{node.outputs[0].name}_{what}"
            inputs = [
                self._constant(f"{name}_quantized", array),
                self._constant(f"{name}_scale", scale),
                self._constant(f"{name}_zero_point", np.zeros(len(scale), array.dtype)),
            ]
            values.append(
                self._add("DequantizeLinear", inputs, f"{name}_dequantized", node, {"axis": ir.AttrInt64("axis", 0)})
            )
        return values

    def _parameters(self, name: str) -> list[ir.Value]:
        grid = self._grids[name]
        return [
            self._constant(f"{name}_scale", np.asarray(grid.scale, np.float32)),
            self._constant(f"{name}_zero_point", np.asarray(grid.zero_point, np.uint8)),
        ]

    def _constant(self, name: str, array: NDArray[Any]) -> ir.Value:
        if name not in self.initializers:
            tensor = ir.tensor(np.ascontiguousarray(array).reshape(array.shape), name=name)
            self.initializers[name] = ir.val(name, const_value=tensor)
        return self.initializers[name]

    def _add(
        self,
        op_type: str,
        inputs: list[ir.Value],
        name: str,
        like: ir.Node | None,
        attributes: Mapping[str, ir.Attr] | None = None,
    ) -> ir.Value:
        node = ir.node(op_type, inputs, attributes=dict(attributes or {}), name=f"{name}_node", outputs=[ir.val(name)])
        if like is not None:
            node.metadata_props.update(like.metadata_props)
        self.nodes.append(node)
        return node.outputs[0]
