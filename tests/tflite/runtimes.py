"""Run a model in ONNX Runtime and its TFLite file in LiteRT, and look into the file."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgegap.tflite import write_tflite

Array = NDArray[Any]


def nhwc(array: Array) -> Array:
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def written(model: onnx.ModelProto) -> bytes:
    return write_tflite(ir.from_proto(model))


def run_onnx(model: onnx.ModelProto, feeds: dict[str, Array], *names: str) -> list[Array]:
    """Outputs (or the named values), rank 4 as NHWC."""
    if names:
        model = onnx.ModelProto.FromString(model.SerializeToString())
        known = {o.name for o in model.graph.output}
        model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n) for n in names if n not in known)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(model.SerializeToString(), options)
    return [nhwc(np.asarray(y)) for y in session.run(list(names) or None, feeds)]


def interpreter_of(data: bytes, *, keep_all: bool) -> Interpreter:
    with warnings.catch_warnings(action="ignore"):  # LiteRT warns of the memory that keeping all tensors takes
        interpreter = Interpreter(model_content=data, num_threads=1, experimental_preserve_all_tensors=keep_all)
    interpreter.allocate_tensors()
    return interpreter


def run_tflite(data: bytes, feeds: dict[str, Array], *names: str) -> list[Array]:
    """Outputs (or the named tensors) for ONNX inputs: rank 4 becomes NHWC, uint8 becomes int8."""
    interpreter = interpreter_of(data, keep_all=bool(names))
    for detail in interpreter.get_input_details():
        x = nhwc(feeds[detail["name"]])
        interpreter.set_tensor(detail["index"], signed(x) if x.dtype == np.uint8 else x)
    interpreter.invoke()
    if not names:
        return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    index = {detail["name"]: detail["index"] for detail in interpreter.get_tensor_details()}
    return [interpreter.get_tensor(index[name]) for name in names]


def signed(array: Array) -> Array:
    return (array.astype(np.int16) - 128).astype(np.int8)


def parsed(data: bytes) -> Any:
    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))


def operators(data: bytes) -> list[str]:
    """The builtins of the file, in order."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    model = parsed(data)
    return [names[model.operatorCodes[o.opcodeIndex].builtinCode] for o in model.subgraphs[0].operators]


def options_of(data: bytes, builtin: str) -> Any:
    """The options of the first operator of this kind."""
    return parsed(data).subgraphs[0].operators[operators(data).index(builtin)].builtinOptions


def tensors_of(data: bytes) -> dict[str, Any]:
    return {tensor.name.decode(): tensor for tensor in parsed(data).subgraphs[0].tensors}


def outside_xnnpack(data: bytes) -> Counter[str]:
    """The operators that LiteRT's interpreter runs itself."""
    # The list holds the replaced operators, too. Where all tensors are kept, XNNPACK takes them one by one, each with
    # a DELEGATE of its own.
    details = interpreter_of(data, keep_all=True)._get_ops_details()
    taken = {int(t) for d in details if d["op_name"] == "DELEGATE" for t in d["outputs"]}
    outside = (d for d in details if d["op_name"] != "DELEGATE" and int(d["outputs"][0]) not in taken)
    return Counter(d["op_name"] for d in outside)


def assert_same_floats(model: onnx.ModelProto, *feeds: Array) -> bytes:
    """ONNX Runtime and LiteRT agree within 1e-5 of the output's largest value; gives the file."""
    data = written(model)
    named = dict(zip([i.name for i in model.graph.input], feeds, strict=True))
    for ours, theirs in zip(run_tflite(data, named), run_onnx(model, named), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())
    return data


def assert_same_integers(model: onnx.ModelProto, *feeds: Array) -> bytes:
    """ONNX Runtime and LiteRT give the same integers, 128 apart; gives the file."""
    data = written(model)
    named = dict(zip([i.name for i in model.graph.input], feeds, strict=True))
    for ours, theirs in zip(run_tflite(data, named), run_onnx(model, named), strict=True):
        expected = signed(theirs)
        assert ours.shape == expected.shape
        assert expected.size < 2000 or len(np.unique(expected)) > 5, "the test's own scales are useless"
        assert np.count_nonzero(ours != expected) == 0
    return data
