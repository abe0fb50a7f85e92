"""The int8 spelling of a network gives the integers of the uint8 one, at every layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest
from fuzz.networks import Network, networks
from hypothesis import HealthCheck, given, reject, settings
from ops.harness import Net
from tflite.runtimes import Array, run_onnx

from edgegap.errors import UnsupportedOpError
from edgegap.graph.canonical import canonicalize
from edgegap.quantize.normal_form import Io
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import Recipe
from edgegap.quantize.signed import activation_of, signed, unsigned, with_int8_activations
from edgegap.quantize.verify import grid_of
from edgegap.tflite import write_tflite

from .nets import quantized


def run_int8(model: ir.Model, feeds: dict[str, Array], names: list[str]) -> list[Array]:
    """The named values of the int8 spelling, in ONNX Runtime's int8 kernels on every CPU."""
    copy = model.clone()
    kept = {value.name for value in copy.graph.outputs}
    copy.graph.outputs.extend(y for node in copy.graph for y in node.outputs if y.name in set(names) - kept)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = ort.InferenceSession(ir.to_proto(copy).SerializeToString(), options)
    return [np.asarray(y) for y in session.run(names, feeds)]


@settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks)
def test_a_random_network_gives_the_same_integers_in_both_spellings(network: Network) -> None:
    model, images = canonicalize(ir.from_proto(network.model()), network.shape), network.images(network.batch, 0)
    io: Io = ("float", "int8")[network.seed % 2]
    try:
        made = quantize(model, [images], Recipe("minmax", "", "minmax", False), table=network.table(), io=io)
    except UnsupportedOpError as error:
        if "no grid clips it alike" not in error.what:
            raise
        reject()
    names = [str(y.name) for node in made.model.graph for y in node.outputs if y.dtype == ir.DataType.UINT8]
    integers = made.input_grid.quantize(images)
    spelled = with_int8_activations(made.model)
    plain = run_onnx(ir.to_proto(made.model), {"x": images if io == "float" else integers}, *names)
    lower = run_int8(spelled, {"x": images if io == "float" else signed(integers)}, names)
    for name, one, other in zip(names, plain, lower, strict=True):
        assert other.dtype == np.int8
        nchw = one.transpose(0, 3, 1, 2) if one.ndim == 4 else one
        np.testing.assert_array_equal(nchw, unsigned(other), err_msg=name)


@pytest.fixture
def made() -> ir.Model:
    net = Net()
    y = net.op("GlobalAveragePool", [net.op("Relu", [net.conv(net.x, (8, 3, 3, 3))])])
    return quantized(net, y, io="float").model


def test_the_original_stays_as_it_is(made: ir.Model) -> None:
    before = ir.to_proto(made).SerializeToString()
    with_int8_activations(made)
    assert ir.to_proto(made).SerializeToString() == before


def test_both_spellings_have_one_tflite_file_and_one_set_of_grids(made: ir.Model) -> None:
    spelled = with_int8_activations(made)
    assert write_tflite(spelled) == write_tflite(made)
    for one, other in zip(made.graph, spelled.graph, strict=True):
        if one.op_type == "QuantizeLinear":
            assert grid_of(one.outputs[0]) == grid_of(other.outputs[0])


def test_a_file_tells_its_spelling(made: ir.Model, tmp_path: Path) -> None:
    for name, model in (("uint8", made), ("int8", with_int8_activations(made))):
        ir.save(model, tmp_path / f"{name}.onnx")
        assert activation_of(tmp_path / f"{name}.onnx") == name


@pytest.mark.parametrize("content", [None, b"", b"no protobuf"])
def test_a_file_that_is_no_network_is_left_to_its_runtime(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.onnx").write_bytes(content)
    assert activation_of(tmp_path / "x.onnx") == "uint8"


def test_signed_and_unsigned_are_128_apart_and_undo_each_other() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert (signed(every).astype(int) == every.astype(int) - 128).all()
    assert (unsigned(signed(every)) == every).all()
    assert unsigned(signed(np.full((), 3, np.uint8))).shape == ()


def test_weights_that_are_quantized_in_the_graph_are_no_activations(tmp_path: Path) -> None:
    """As torchao writes them: int8, and always so."""
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("QuantizeLinear", ["weight", "one", "signed"], ["integers"]),
            onnx.helper.make_node("DequantizeLinear", ["integers", "one", "signed"], ["dequantized"]),
            onnx.helper.make_node("QuantizeLinear", ["x", "one", "unsigned"], ["y"]),
        ],
        "net",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.UINT8, [1])],
        [
            onnx.numpy_helper.from_array(array, name)
            for name, array in {
                "weight": np.ones(1, np.float32),
                "one": np.ones((), np.float32),
                "signed": np.zeros((), np.int8),
                "unsigned": np.zeros((), np.uint8),
            }.items()
        ],
    )
    onnx.save(onnx.helper.make_model(graph), tmp_path / "net.onnx")
    assert activation_of(tmp_path / "net.onnx") == "uint8"
