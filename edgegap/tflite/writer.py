"""The state of one writing: which tensor holds which value, and what the spelling functions may ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgegap.graph.nodes import shape_of, sole_consumer
from edgegap.tflite.activation import NONE, fused_activation
from edgegap.tflite.flatbuffer import ModelBuilder
from edgegap.tflite.layout import Layout, natural, permuted, propagate
from edgegap.tflite.tensors import Constant, constant_of, integer_values, is_integer_node


class Writer:
    """Turns values into tensors, in the layout that a reader asks for.

    A tensor has a value's own name exactly where it holds the value in its natural layout (NHWC for rank 4), so that
    tensors can be compared with the ONNX model's values by name.

    Attributes:
        builder: the flatbuffer under construction.
        layouts: what the layout pass found.
        integers: the parameters of the activations that hold integers.
    """

    def __init__(self, graph: ir.Graph) -> None:
        self.builder = ModelBuilder()
        self.layouts = propagate(graph)
        self.integers = integer_values(graph)
        self._integer_nodes = {node for node in graph if is_integer_node(node)}
        self._fused: set[ir.Node] = set()
        self._tensors: dict[tuple[ir.Value, Layout], int] = {}

    def operands(self, node: ir.Node) -> list[ir.Value]:
        """The inputs of `node`; those of an integer node are the integers in front of each DequantizeLinear.

        A constant behind a DequantizeLinear stays as it is, for `constant_of` to read with its parameters.
        """
        values = [value for value in node.inputs if value is not None]
        if node not in self._integer_nodes:
            return values
        return [value if constant_of(value) else self._behind(value) for value in values]

    def result(self, node: ir.Node) -> ir.Value:
        """The value that the operator for `node` writes: behind an integer node, the QuantizeLinear's output."""
        quantizer = sole_consumer(node.outputs[0])
        if quantizer is None or node not in self._integer_nodes:
            return node.outputs[0]
        self._fused.add(quantizer)
        return quantizer.outputs[0]

    def activated_result(self, node: ir.Node) -> tuple[ir.Value, int]:
        """`result`, or the output of the activation behind a float node if nothing else reads what is in between.

        Returns:
            The value, and the fused activation (schema.ActivationFunctionType).
        """
        consumer = sole_consumer(node.outputs[0])
        activation = fused_activation(consumer)
        if consumer is None or activation == NONE:
            return self.result(node), NONE
        self._fused.add(consumer)
        return consumer.outputs[0], activation

    def is_spelled(self, node: ir.Node) -> bool:
        """Whether `node` went into the operator before it."""
        return node in self._fused

    def is_read_in_float(self, value: ir.Value) -> bool:
        """Whether any reader needs the real numbers of a DequantizeLinear's output."""
        return value.is_graph_output() or any(use.node not in self._integer_nodes for use in value.uses())

    def read(self, value: ir.Value, layout: Layout | None = None) -> int:
        """The tensor that holds an activation in `layout` (default: the one it has); transposes where it must."""
        own = self.layouts.axes[value]
        layout = layout or own
        if (value, layout) not in self._tensors:
            source = self._tensors[value, own]
            perm = tuple(own.index(axis) for axis in layout)
            self._tensors[value, layout] = self.transpose(source, perm, self._name(value, layout))
        return self._tensors[value, layout]

    def read_broadcast(self, value: ir.Value, layout: Layout) -> int:
        """The tensor that holds a constant or activation in `layout`, with leading axes of size 1 up to its rank."""
        found = constant_of(value)
        missing = len(layout) - (found.data.ndim if found else len(shape_of(value)))
        if found:
            return self.constant(found, found.data.reshape((1,) * missing + found.data.shape).transpose(layout))
        if not missing:
            return self.read(value, layout)
        shape = (1,) * missing + shape_of(value)
        tensor = self.reshape(self.read(value, tuple(range(len(shape_of(value))))), shape, f"{value.name}_expanded")
        identity = tuple(range(len(layout)))
        return tensor if layout == identity else self.transpose(tensor, layout, f"{value.name}_expanded_transposed")

    def define(self, value: ir.Value) -> int:
        """A new tensor for an activation, in the layout that the layout pass gave it."""
        layout = self.layouts.axes[value]
        quantization = self.integers.get(value)
        dtype = np.float32 if quantization is None else np.int8
        tensor = self.builder.tensor(self._name(value, layout), permuted(shape_of(value), layout), dtype, quantization)
        self._tensors[value, layout] = tensor
        return tensor

    def alias(self, value: ir.Value, other: ir.Value) -> None:
        """Let `value` be the tensor of `other`, whose bytes it shares."""
        self._tensors[value, self.layouts.axes[value]] = self.read(other)

    def output(self, value: ir.Value) -> int:
        """The tensor of a graph output: of its name, in natural layout."""
        tensor = self.read(value, natural(len(shape_of(value))))
        if self.builder.name(tensor) == value.name:
            return tensor
        return self.reshape(tensor, self.builder.shape(tensor), str(value.name))

    def constant(self, found: Constant, data: Any) -> int:
        """A tensor of `data`, which is the data of `found` in another shape or order."""
        return self.builder.constant(found.name, data, found.quantization)

    def indices(self, name: str, values: Any) -> int:
        """A constant int32 tensor: axes, shapes, paddings."""
        return self.builder.constant(name, np.asarray(values, np.int32))

    def reshape(self, tensor: int, shape: tuple[int, ...], name: str, into: int | None = None) -> int:
        """Spell RESHAPE; the new tensor is called `name` if there is none to write `into`."""
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        into = self.builder.like(tensor, name, shape) if into is None else into
        self.builder.operator(
            schema.BuiltinOperator.RESHAPE, [tensor, self.indices(f"{name}_shape", shape)], [into], options
        )
        return into

    def transpose(self, tensor: int, perm: Layout, name: str) -> int:
        """Spell TRANSPOSE into a new tensor called `name`."""
        into = self.builder.like(tensor, name, permuted(self.builder.shape(tensor), perm))
        inputs = [tensor, self.indices(f"{name}_perm", perm)]
        self.builder.operator(schema.BuiltinOperator.TRANSPOSE, inputs, [into], schema.TransposeOptionsT())
        return into

    def _name(self, value: ir.Value, layout: Layout) -> str:
        if value in self.layouts.columns:
            return f"{value.name}_hwc"
        return str(value.name) if layout == natural(len(layout)) else f"{value.name}_{''.join(map(str, layout))}"

    @staticmethod
    def _behind(value: ir.Value) -> ir.Value:
        producer = value.producer()
        integers = producer.inputs[0] if producer is not None else None
        return value if integers is None else integers
