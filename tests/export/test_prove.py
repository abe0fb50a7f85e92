"""The proof of an export: two files of one quantization agree, and one altered byte is found and its layer named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import flatbuffers
import numpy as np
import onnx_ir as ir
import pytest
from ai_edge_litert import schema_py_generated as schema
from cli.harness import write_onnx

from edgegap.check.images import ImageSet
from edgegap.check.predict import OutputGrid
from edgegap.errors import IdentityError, InternalError, RuntimeFailure, exit_status
from edgegap.export.export import output_grid
from edgegap.export.model import load_model, read_model
from edgegap.export.prove import Proof, prove_float, prove_int8
from edgegap.progress import silent
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import load_recipe
from edgegap.tflite import write_tflite

IMAGES = 8


@dataclass(frozen=True)
class Pair:
    """Both int8 files, images, and the grid of the outputs."""

    onnx: Path
    tflite: Path
    images: ImageSet
    grid: OutputGrid

    def prove(self, *, bound_lsb: int | None = 0) -> Proof:
        return prove_int8(
            self.onnx, self.tflite, self.images, None, self.grid, bound_lsb=bound_lsb, target="desktop", progress=silent
        )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 8, 8, 1), np.uint8)
    np.save(folder / "images.npy", pixels)
    table = (np.arange(256, dtype=np.float32) / 255)[None]
    names = tuple(f"item {k}" for k in range(IMAGES))
    images = ImageSet(folder / "images.npy", np.zeros(IMAGES, np.int64), names, table, (1, 8, 8))
    path = str(write_onnx(folder / "net.onnx"))
    network = load_model(read_model(path, None, None, None), path).model
    quantized = quantize(network, [images.values(4), images.values(8, 4)], load_recipe("default"), table=table)
    ir.save(quantized.model, folder / "int8.onnx")
    (folder / "int8.tflite").write_bytes(write_tflite(quantized.model))
    ir.save(network, folder / "float.onnx")
    (folder / "float.tflite").write_bytes(write_tflite(network))
    return Pair(folder / "int8.onnx", folder / "int8.tflite", images, output_grid(quantized))


def with_one_weight_changed(tflite: Path, operator: int, to: Path) -> Path:
    """A copy of a TFLite file in which the largest weight of one operator has the other sign."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite.read_bytes(), 0))
    graph = model.subgraphs[0]
    convolutions = [op for op in graph.operators if len(op.inputs) == 3]
    weight = graph.tensors[convolutions[operator].inputs[1]]
    kind = np.int8 if weight.type == schema.TensorType.INT8 else np.float32
    values = np.array(model.buffers[weight.buffer].data, np.uint8).view(kind).copy()
    largest = np.abs(values.astype(float)).argmax()
    values[largest] = -values[largest]
    model.buffers[weight.buffer].data = values.view(np.uint8)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    to.write_bytes(builder.Output())
    return to


def test_both_files_of_one_quantization_agree(pair: Pair) -> None:
    proof = pair.prove()
    assert proof.identity.holds
    assert (proof.identity.compared, proof.identity.different) == (IMAGES * 10, 0)
    assert proof.slow_ops == []


@pytest.mark.parametrize(("operator", "layer"), [(0, "stem"), (1, "maps")])
def test_one_changed_weight_is_an_identity_error_that_names_the_first_layer(
    pair: Pair, tmp_path: Path, operator: int, layer: str
) -> None:
    other = replace(pair, tflite=with_one_weight_changed(pair.tflite, operator, tmp_path / "int8.tflite"))
    with pytest.raises(IdentityError, match=r"output integers differ between int8\.onnx and int8\.tflite") as caught:
        other.prove()
    assert layer in str(caught.value.where)
    assert "Conv" in str(caught.value.where)
    assert exit_status(caught.value) == 1


def test_a_bound_of_none_only_measures(pair: Pair, tmp_path: Path) -> None:
    other = replace(pair, tflite=with_one_weight_changed(pair.tflite, 0, tmp_path / "int8.tflite"))
    identity = other.prove(bound_lsb=None).identity
    assert identity.holds
    assert identity.different > 0
    assert identity.max_lsb > 0


def test_float_files_that_differ_are_an_internal_error(pair: Pair, tmp_path: Path) -> None:
    onnx, tflite = pair.onnx.with_name("float.onnx"), pair.tflite.with_name("float.tflite")
    prove_float(onnx, tflite, pair.images, silent)
    other = with_one_weight_changed(tflite, 0, tmp_path / "float.tflite")
    with pytest.raises(InternalError, match=r"float\.tflite differs from float\.onnx"):
        prove_float(onnx, other, pair.images, silent)


def test_a_file_that_its_runtime_cannot_load_is_a_runtime_failure(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "int8.tflite").write_bytes(pair.tflite.read_bytes()[:300])
    with pytest.raises(RuntimeFailure, match="cannot load") as caught:
        replace(pair, tflite=tmp_path / "int8.tflite").prove()
    assert exit_status(caught.value) == 3
