"""Small networks: float in canonical form, quantized in normal form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]


class Net:
    """An ONNX model under construction; every method that appends a node gives the name of its output."""

    def __init__(self, *, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def input(self, name: str, shape: Sequence[int], dtype: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, list(shape)))
        return name

    def constant(self, array: Any, dtype: Any = None) -> str:
        array = np.asarray(array, dtype)
        name = f"c{len(self.initializers)}"
        self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def op(self, op_type: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        output = output or f"{op_type.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=f"{output}_node", **attributes))
        return output

    def normal(self, *shape: int) -> Array:
        return self.rng.normal(size=shape).astype(np.float32)

    def conv(self, x: str, shape: Sequence[int], **attributes: Any) -> str:
        inputs = [x, self.constant(self.normal(*shape)), self.constant(self.normal(shape[0]))]
        given = {"strides": [1, 1], "dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0]} | attributes
        return self.op("Conv", inputs, kernel_shape=list(shape[2:]), **given)

    def gemm(self, x: str, outputs: int, inputs: int) -> str:
        weights = [self.constant(self.normal(outputs, inputs)), self.constant(self.normal(outputs))]
        return self.op("Gemm", [x, *weights], transB=1, alpha=1.0, beta=1.0)

    def ints(self, op_type: str, x: str, *constants: Any, **attributes: Any) -> str:
        """A node whose further inputs are int64 constants."""
        return self.op(op_type, [x, *(self.constant(c, np.int64) for c in constants)], **attributes)

    def model(self, *outputs: str, dtype: int = TensorProto.FLOAT) -> onnx.ModelProto:
        infos = [helper.make_tensor_value_info(name, dtype, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "net", self.inputs, infos, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True, check_type=True, data_prop=True)
        onnx.checker.check_model(model)
        return model


class QuantizedNet(Net):
    """A net in normal form, integers in and out unless the caller adds the boundary."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.parameters: dict[str, tuple[np.float32, int]] = {}

    def scale(self) -> np.float32:
        return np.float32(np.exp(self.rng.uniform(np.log(0.005), np.log(0.08))))

    def uint8_input(self, name: str, shape: Sequence[int], zero_point: int = 0, scale: float | None = None) -> str:
        self.parameters[name] = (self.scale() if scale is None else np.float32(scale), zero_point)
        return self.input(name, shape, TensorProto.UINT8)

    def quantize(self, x: str, scale: float, zero_point: int) -> str:
        output = f"{x}_quantized"
        self.parameters[output] = (np.float32(scale), zero_point)
        return self.op("QuantizeLinear", [x, *self._constants(output)], output)

    def dequantize(self, x: str, output: str | None = None) -> str:
        return self.op("DequantizeLinear", [x, *self._constants(x)], output)

    def dequantized_constant(self, array: Array, scale: Array, zero_point: Any, **attributes: Any) -> str:
        inputs = [self.constant(array), self.constant(scale, np.float32), self.constant(zero_point, array.dtype)]
        return self.op("DequantizeLinear", inputs, **attributes)

    def keep(self, op_type: str, x: str, output: str, *more: str, **attributes: Any) -> str:
        """A node that stands on integers: its output has the parameters of its input."""
        self.parameters[output] = self.parameters[x]
        return self.op(op_type, [x, *more], output, **attributes)

    def keep_ints(self, op_type: str, x: str, output: str, *constants: Any, **attributes: Any) -> str:
        return self.keep(op_type, x, output, *(self.constant(c, np.int64) for c in constants), **attributes)

    def quantized_conv(self, x: str, shape: Sequence[int], zero_point: int = 0, **attributes: Any) -> str:
        given = {"strides": [1, 1], "dilations": [1, 1], "group": 1, "pads": [0, 0, 0, 0]} | attributes
        return self._linear("Conv", x, shape, zero_point, kernel_shape=list(shape[2:]), **given)

    def quantized_gemm(self, x: str, outputs: int, inputs: int, zero_point: int = 0) -> str:
        return self._linear("Gemm", x, (outputs, inputs), zero_point, transB=1, alpha=1.0, beta=1.0)

    def arithmetic(self, op_type: str, xs: Sequence[str], scale: float, zero_point: int) -> str:
        """Add, Mul or GlobalAveragePool of integers `xs`."""
        return self.quantize(self.op(op_type, [self.dequantize(x) for x in xs]), scale, zero_point)

    def _linear(self, op_type: str, x: str, shape: Sequence[int], zero_point: int, **attributes: Any) -> str:
        taps = int(np.prod(shape[1:]))
        weight = self.rng.integers(-127, 128, shape).astype(np.int8)
        weight_scale = (0.002 * np.exp(self.rng.uniform(-1, 1, shape[0]))).astype(np.float32)
        scale = self.parameters[x][0]
        bias = self.rng.integers(-5000, 5000, shape[0]).astype(np.int32)
        inputs = [
            self.dequantize(x),
            self.dequantized_constant(weight, weight_scale, np.zeros(shape[0]), axis=0),
            self.dequantized_constant(bias, scale * weight_scale, np.zeros(shape[0]), axis=0),
        ]
        # 90 and 73 are the spreads of the operands' integers; the output's should fill its range without much clipping
        out_scale = float(scale) * 0.002 * 90 * 73 * np.sqrt(taps) / 60
        return self.quantize(self.op(op_type, inputs, **attributes), out_scale, zero_point)

    def _constants(self, x: str) -> tuple[str, str]:
        scale, zero_point = self.parameters[x]
        return self.constant(scale, np.float32), self.constant(zero_point, np.uint8)

    def random_integers(self, *shape: int) -> Array:
        return self.rng.integers(0, 256, shape).astype(np.uint8)

    def integer_model(self, *outputs: str) -> onnx.ModelProto:
        return self.model(*outputs, dtype=TensorProto.UINT8)
