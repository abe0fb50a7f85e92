"""Tiny artifacts, made on the spot, and a runner driven by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from edgegap.run.job import RUNNER

HEIGHT, WIDTH, CHANNELS = 4, 5, 3
Make = Callable[..., Path]


@pytest.fixture
def pixels(tmp_path: Path) -> Callable[..., Path]:
    """A .npy of n random images, uint8 [n, 4, 5, 3]."""

    def make(n: int) -> Path:
        path = tmp_path / f"pixels-{n}.npy"
        np.save(path, np.random.default_rng(n).integers(0, 256, (n, HEIGHT, WIDTH, CHANNELS), np.uint8))
        return path

    return make


@pytest.fixture
def long_pixels(tmp_path: Path) -> Path:
    """A million images: minutes of work, so that a test can interrupt it."""
    path = tmp_path / "long.npy"
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(1_000_000, HEIGHT, WIDTH, CHANNELS))
    return path


@pytest.fixture
def table() -> np.ndarray:
    """float32 [3, 256], another line for each channel."""
    return np.stack([np.arange(256) / 255 * scale - offset for scale, offset in [(1, 0.5), (2, 0.4), (3, 0.6)]]).astype(
        np.float32
    )


@pytest.fixture
def onnx_net(tmp_path: Path) -> Make:
    """1x1 conv -> GAP -> [n, 4], with the conv as a second output 'maps' if tapped."""

    def make(batch: int | str = 1, dtype: str = "float32", *, tapped: bool = False) -> Path:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        weight = np.random.default_rng(0).normal(size=(4, CHANNELS, 1, 1)).astype(np.float32)
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4])]
        if tapped:
            outputs.append(helper.make_tensor_value_info("maps", TensorProto.FLOAT, [batch, 4, HEIGHT, WIDTH]))
        graph = helper.make_graph(
            [
                helper.make_node("Cast", ["x"], ["values"], to=TensorProto.FLOAT),
                helper.make_node("Conv", ["values", "weight"], ["maps"]),
                helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
                helper.make_node("Flatten", ["pooled"], ["y"]),
            ],
            "tiny",
            [helper.make_tensor_value_info("x", kind, [batch, CHANNELS, HEIGHT, WIDTH])],
            outputs,
            [numpy_helper.from_array(weight, "weight")],
        )
        path = tmp_path / f"net-{batch}-{dtype}-{tapped}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
        return path

    return make


@pytest.fixture
def tflite_net(tmp_path: Path) -> Make:
    """sum = x + [1, 2, 3] (XNNPACK takes it), y = sign(sum) (it does not): float32 [batch, 4, 5, 3]."""

    def make(batch: int = 1, *, dynamic: bool = False) -> Path:
        shape = [batch, HEIGHT, WIDTH, CHANNELS]

        def tensor(name: str, shape: list[int], buffer: int = 0) -> Any:
            made = schema.TensorT()
            made.name, made.shape, made.type, made.buffer = name, shape, schema.TensorType.FLOAT32, buffer
            if dynamic and len(shape) == 4:
                made.shapeSignature = [-1, *shape[1:]]
            return made

        def operator(code: int, inputs: list[int], output: int) -> Any:
            made = schema.OperatorT()
            made.opcodeIndex, made.inputs, made.outputs = code, inputs, [output]
            return made

        def code(builtin: int) -> Any:
            made = schema.OperatorCodeT()
            made.builtinCode = builtin
            made.deprecatedBuiltinCode = min(builtin, 127)
            return made

        add = operator(0, [0, 1], 2)
        add.builtinOptionsType, add.builtinOptions = schema.BuiltinOptions.AddOptions, schema.AddOptionsT()
        graph = schema.SubGraphT()
        graph.tensors = [tensor("x", shape), tensor("bias", [CHANNELS], 1), tensor("sum", shape), tensor("y", shape)]
        graph.inputs, graph.outputs, graph.operators = [0], [3], [add, operator(1, [2], 3)]
        bias = schema.BufferT()
        bias.data = np.frombuffer(np.array([-1, -2, -3], np.float32).tobytes(), np.uint8)
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT(), bias]
        model.operatorCodes = [code(schema.BuiltinOperator.ADD), code(schema.BuiltinOperator.SIGN)]
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        path = tmp_path / f"net-{batch}-{dynamic}.tflite"
        path.write_bytes(builder.Output())
        return path

    return make


@pytest.fixture
def drive(tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Run job.json in one folder with a copy of the runner, as a remote machine would; gives the events."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(RUNNER, folder)

    def run(text: str) -> list[dict[str, Any]]:
        (folder / "job.json").write_text(text)
        command = [sys.executable, "-I", "runner.py", "job.json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run
