"""Write a lowered float model and its grids as one QDQ model in normal form.

1. Arithmetic (Conv, Gemm, Add, Mul, GlobalAveragePool) reads DequantizeLinear values and is read by one
   QuantizeLinear.
2. Everything that only moves values works on the integers themselves, with nothing around it.
3. Relu and Clip are gone: the integers saturate where they would clip.
4. Activations are uint8 with one scale, weights int8 with zero point 0 and one scale per output channel, biases int32
   at the scale of the accumulator.
5. A Conv or Gemm that stays in float has float weights, and a Relu or Clip behind it is a node. What it computes is
   quantized where an integer op reads it. It reads a DequantizeLinear with one scale per channel, all of them equal:
   ONNX Runtime quantizes the weights of a Conv or Gemm between a DequantizeLinear of one scale and a QuantizeLinear by
   itself, with one scale for all channels (its WeightBiasQuantization).
6. Div, GlobalLpPool, LayerNormalization, Mish and Softplus are functions of that name, whose bodies both runtimes
   compute alike (`normal_functions`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes.common import NameFixPass

from edgegap.graph.nodes import IR_VERSION, constant, operand, required_constant, shape_of, unsupported
from edgegap.graph.shapes import infer_shapes
from edgegap.quantize.classes import limits_of
from edgegap.quantize.floats import LINEAR, real_values
from edgegap.quantize.lower import ACTIVATIONS, PASSING
from edgegap.quantize.normal_functions import function_attributes, function_domain, normal_function
from edgegap.quantize.parameters import Grid
from edgegap.quantize.weights import LinearParameters

Io = Literal["float", "int8"]


def write_normal_form(
    model: ir.Model,
    grids: Mapping[str, Grid],
    linear: Mapping[str, LinearParameters],
    io: Io,
    float_layers: Collection[str] = (),
) -> ir.Model:
    """The QDQ model of a lowered `model`, which is only read.

    Args:
        model: a lowered model.
        grids: of every activation and constant operand, by name.
        linear: the integer parameters of every Conv and Gemm, by the name of its output.
        io: whether the QDQ model takes and gives float values, or uint8 integers.
        float_layers: the Conv and Gemm nodes that stay in float, by the name of their output.
    """
    writer = _Writer(grids, real_values(model, float_layers, io))
    source, target = model.graph.inputs[0], model.graph.outputs[0]
    dtype = ir.DataType.FLOAT if io == "float" else ir.DataType.UINT8
    graph_input = ir.val(str(source.name), dtype=dtype, shape=source.shape)
    if io == "float":
        writer.quantize(graph_input, str(source.name), None)
    else:
        writer.integers[str(source.name)] = graph_input
    for node in model.graph:
        if node.op_type in ACTIVATIONS:
            writer.activate(node)
        elif node.op_type in PASSING:
            writer.move(node)
        else:
            name = str(node.outputs[0].name)
            writer.compute(node, None if name in float_layers else linear.get(name))
    result = writer.real(target) if io == "float" else writer.integers[str(target.name)]
    result.name = target.name
    graph = ir.Graph(
        [graph_input],
        [result],
        nodes=writer.nodes,
        initializers=list(writer.initializers.values()),
        opset_imports={"": model.graph.opset_imports[""]},
        name=model.graph.name or "network",
    )
    written = ir.Model(graph, ir_version=IR_VERSION, producer_name="edgegap")
    for domain, op_type in dict.fromkeys((node.domain, node.op_type) for node in writer.nodes if node.domain):
        function = normal_function(domain, op_type)
        graph.opset_imports[domain] = 1
        written.functions[function.identifier()] = function
    NameFixPass()(written)
    infer_shapes(written)
    return written


class _Writer:
    """Nodes and initializers of the QDQ model so far; values are known by their names in the lowered model."""

    def __init__(self, grids: Mapping[str, Grid], real_names: Collection[str]) -> None:
        self.nodes: list[ir.Node] = []
        self.initializers: dict[str, ir.Value] = {}
        self.integers: dict[str, ir.Value] = {}
        self._grids = grids
        self._real_names = real_names
        self._reals: dict[str, ir.Value] = {}
        self._unclipped: dict[str, ir.Value] = {}
        self._float_layers: set[str] = set()

    def compute(self, node: ir.Node, linear: LinearParameters | None) -> None:
        """Rules 1, 5 and 6."""
        y = node.outputs[0]
        if linear is None and node.op_type in LINEAR:
            self._float_layers.add(str(y.name))
            inputs = [self._apart(operand(node)), *self._float_constants(node)]
        elif node.op_type == "LayerNormalization":
            inputs = [self.real(operand(node))]  # the function has no scale of ones
        elif linear is None:
            inputs = [self.real(value) for value in node.inputs if value is not None]
        else:
            inputs = [self.real(operand(node)), *self._linear_constants(node, linear)]
        attributes, domain = function_attributes(node, self._grids), function_domain(node)
        self._computed(node, self._add(node.op_type, inputs, _float_name(y), node, attributes, domain=domain))

    def _computed(self, node: ir.Node, result: ir.Value) -> None:
        """Take in the float value of a node: as it is, on its grid, or for the activation behind it."""
        name = str(node.outputs[0].name)
        if name in self._real_names:
            self._reals[name] = result
        elif name in self._grids:
            self.quantize(result, name, node)
        else:
            self._unclipped[name] = result

    def move(self, node: ir.Node) -> None:
        """Rule 2; in float where rule 5 leaves its value there."""
        y = node.outputs[0]
        if str(y.name) in self._real_names:
            shapes = [
                self._constant(str(value.name), required_constant(node, 1, "shape"))
                for value in node.inputs[1:]
                if value
            ]
            inputs = [self.real(operand(node)), *shapes]
            self._computed(node, self._add(node.op_type, inputs, _float_name(y), node, node.attributes))
            return
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

    def activate(self, node: ir.Node) -> None:
        """Rule 5 behind a value that stays in float, rule 3 behind every other."""
        name = str(operand(node).name)
        if name not in self._float_layers and name not in self._real_names:
            self._absorb_activation(node)
            return
        x = self._reals[name] if name in self._real_names else self._unclipped[name]
        limits = [
            None if value is None else self._constant(str(value.name), required_constant(node, k, "limit"))
            for k, value in enumerate(node.inputs[1:], 1)
        ]
        result = self._add(node.op_type, [x, *limits], _float_name(node.outputs[0]), node, node.attributes)
        self._computed(node, result)

    def _absorb_activation(self, node: ir.Node) -> None:
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

    def _apart(self, value: ir.Value) -> ir.Value:
        """What a float layer reads (rule 5)."""
        name = str(value.name)
        if name in self._real_names:
            return self._reals[name]
        axis, size = next(((k, n) for k, n in enumerate(shape_of(value)) if k and n > 1), (1, 1))
        apart = f"{name}_apart{axis}"
        if apart not in self._reals:
            scale, zero_point = np.full(size, self._grids[name].scale), np.full(size, self._grids[name].zero_point)
            inputs = [
                self.integers[name],
                self._constant(f"{apart}_scale", scale.astype(np.float32)),
                self._constant(f"{apart}_zero_point", zero_point.astype(np.uint8)),
            ]
            attributes = {"axis": ir.AttrInt64("axis", axis)}
            self._reals[apart] = self._add(
                "DequantizeLinear", inputs, f"{apart}_dequantized", value.producer(), attributes
            )
        return self._reals[apart]

    def _float_constants(self, node: ir.Node) -> list[ir.Value]:
        return [
            self._constant(f"{node.outputs[0].name}_{what}", required_constant(node, k, what).astype(np.float32))
            for k, what in ((1, "weight"), (2, "bias"))
        ]

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
        inputs: Sequence[ir.Value | None],
        name: str,
        like: ir.Node | None,
        attributes: Mapping[str, Any] | None = None,
        *,
        domain: str = "",
    ) -> ir.Value:
        node = ir.node(
            op_type,
            inputs,
            attributes=dict(attributes or {}),
            domain=domain,
            name=f"{name}_node",
            outputs=[ir.val(name)],
        )
        if like is not None:
            node.metadata_props.update(like.metadata_props)
        self.nodes.append(node)
        return node.outputs[0]


def _float_name(value: ir.Value) -> str:
    """The name of a value in float; that of the output is taken, by what is dequantized behind it."""
    return f"{value.name}_float" if value.is_graph_output() else str(value.name)
