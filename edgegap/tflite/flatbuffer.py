"""The flatbuffer: tensors, deduplicated buffers, operators and their codes, packed into the bytes of a .tflite file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edgegap.errors import ModelError

_LIMIT = 2**31 - 2**24
"""Bytes of constants that fit: offsets are 31 bits wide, and the tables need room too."""

_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
}

_Op = schema.BuiltinOperator
_VERSIONS = {
    _Op.ABS: (1, 2),
    _Op.ADD: (1, 2),
    _Op.AVERAGE_POOL_2D: (1, 2),
    _Op.CONCATENATION: (1, 2),
    _Op.CONV_2D: (1, 3),
    _Op.DEPTHWISE_CONV_2D: (2, 3),
    _Op.DEQUANTIZE: (1, 2),
    _Op.DIV: (1, 2),
    _Op.ELU: (1, 1),
    _Op.FLOOR: (1, 1),
    _Op.FULLY_CONNECTED: (1, 5),
    _Op.GELU: (1, 2),
    _Op.HARD_SWISH: (1, 1),
    _Op.LOG: (1, 2),
    _Op.LOGISTIC: (1, 2),
    _Op.MAXIMUM: (1, 2),
    _Op.MAX_POOL_2D: (1, 2),
    _Op.MEAN: (1, 2),
    _Op.MINIMUM: (1, 2),
    _Op.MUL: (1, 2),
    _Op.PAD: (1, 2),
    _Op.PADV2: (1, 2),
    _Op.QUANTIZE: (1, 2),
    _Op.RELU: (1, 2),
    _Op.RELU6: (1, 2),
    _Op.RESHAPE: (1, 1),
    _Op.RESIZE_NEAREST_NEIGHBOR: (1, 2),
    _Op.ROUND: (1, 1),
    _Op.RSQRT: (1, 2),
    _Op.SQRT: (1, 1),
    _Op.STRIDED_SLICE: (1, 2),
    _Op.SUB: (1, 2),
    _Op.SUM: (1, 2),
    _Op.TANH: (1, 2),
    _Op.TRANSPOSE: (1, 2),
}
"""The lowest version of each builtin whose first input is float, and int8."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """How integers stand for real numbers: real = (integer - zero_point) * scale.

    Args:
        scale: float32 [1], or one per index of `axis`.
        zero_point: int64, shaped as `scale`, on the signed grid.
        axis: the tensor's axis that the scales run along (of no meaning for a single scale).
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int = 0


class ModelBuilder:
    """A TFLite model with one subgraph, built tensor by tensor and operator by operator."""

    def __init__(self) -> None:
        self._graph: Any = schema.SubGraphT()
        self._graph.name, self._graph.tensors, self._graph.operators = "main", [], []
        self._buffers: list[Any] = [schema.BufferT()]  # buffer 0 is empty, by the format's convention
        self._buffer_index: dict[bytes, int] = {}  # by the hash of its bytes
        self._size = 0
        self._codes: dict[tuple[int, int], int] = {}

    def tensor(self, name: str, shape: Sequence[int], dtype: type, quantization: Quantization | None = None) -> int:
        """The index of a new tensor of np.float32, np.int8 or np.int32 that an operator or the caller fills."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, np.asarray(shape, np.int32), _TYPES[np.dtype(dtype)]
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = quantization.scale
            tensor.quantization.zeroPoint = quantization.zero_point
            tensor.quantization.quantizedDimension = quantization.axis
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def constant(self, name: str, array: NDArray[Any], quantization: Quantization | None = None) -> int:
        """The index of a new tensor with the values of `array`; equal bytes share one buffer."""
        index = self.tensor(name, array.shape, array.dtype.type, quantization)
        self._graph.tensors[index].buffer = self._buffer(array)
        return index

    def like(self, index: int, name: str, shape: Sequence[int]) -> int:
        """The index of a new tensor with the type and quantization of tensor `index`."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name, np.asarray(shape, np.int32)
        tensor.type, tensor.quantization = self._graph.tensors[index].type, self._graph.tensors[index].quantization
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def name(self, index: int) -> str:
        """The name of tensor `index`."""
        return str(self._graph.tensors[index].name)

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of tensor `index`, its axes in physical order."""
        return tuple(int(d) for d in self._graph.tensors[index].shape)

    def operator(
        self, builtin: int, inputs: list[int], outputs: list[int], options: Any = None, version: int | None = None
    ) -> None:
        """Append an operator.

        Args:
            builtin: a `schema.BuiltinOperator`.
            inputs, outputs: tensor indices.
            options: the schema's options object, if the builtin has one.
            version: the builtin's version where it depends on more than the type of the first input.
        """
        is_int8 = self._graph.tensors[inputs[0]].type == schema.TensorType.INT8
        code = (builtin, version or _VERSIONS[builtin][is_int8])
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs, operator.outputs = inputs, outputs
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
            operator.builtinOptions = options
        self._graph.operators.append(operator)

    def finish(self, inputs: list[int], outputs: list[int], description: str) -> bytes:
        """The bytes of the file; raises ModelError where they would not fit into 2 GiB."""
        self._graph.inputs, self._graph.outputs = inputs, outputs
        model = schema.ModelT()
        model.version, model.description = 3, description
        model.subgraphs, model.buffers = [self._graph], self._buffers
        model.operatorCodes = [_operator_code(builtin, version) for builtin, version in self._codes]
        builder = flatbuffers.Builder(self._size + 2**16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(memoryview(builder.Bytes)[builder.Head() :])  # Output() would copy them once more

    def _buffer(self, array: NDArray[Any]) -> int:
        if self._size + array.nbytes > _LIMIT:
            raise ModelError(
                "the network's constants take more than the 2 GiB that a TFLite file can hold",
                hint="Make the network smaller, or export it with --format onnx only.",
            )
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)
        digest = sha256(data.data).digest()
        if digest not in self._buffer_index:
            buffer = _AlignedBuffer()
            buffer.data = data
            self._buffer_index[digest] = len(self._buffers)
            self._buffers.append(buffer)
            self._size += len(data)
        return self._buffer_index[digest]


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]  # the generated schema is untyped
    """A buffer at a multiple of 16 bytes, as the schema demands and its generated Python code neglects."""

    def Pack(self, builder: Any) -> int:  # noqa: N802  # the schema's own name
        builder.StartVector(1, len(self.data), 16)
        builder.head -= len(self.data)
        builder.Bytes[builder.head : builder.head + len(self.data)] = self.data.data
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


def _operator_code(builtin: int, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = builtin, version
    code.deprecatedBuiltinCode = min(
        builtin, 127
    )  # the field that runtimes of before 2020 read; 127 = look at the new one
    return code
