"""--resnap: what it changes, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import QuantType
from ops.harness import Net
from tflite.runtimes import run_onnx

from edgegap.errors import UnsupportedOpError
from edgegap.quantize.verify import grid_of

from .files import QdqNet, by_onnxruntime, images_of, imported, table_of


def residual() -> tuple[Net, onnx.ModelProto]:
    net = Net((1, 3, 12, 12))
    a = net.op("Relu", [net.conv(net.x, (8, 3, 3, 3), pads=[1, 1, 1, 1])])
    b = net.op("Relu", [net.op("Add", [a, net.conv(a, (8, 8, 3, 3), pads=[1, 1, 1, 1])])])
    c = net.op("Concat", [b, net.op("Mul", [b, net.conv(a, (8, 8, 1, 1))])], axis=1)
    y = net.gemm(net.op("Flatten", [net.op("GlobalAveragePool", [c])]), 10, 16)
    return net, net.in_opset(y, 18)


@pytest.mark.parametrize("activation", [QuantType.QUInt8, QuantType.QInt8])
@pytest.mark.parametrize("symmetric", [False, True])
def test_every_op_becomes_exact_and_the_answers_stay_near(tmp_path: Path, activation, symmetric: bool) -> None:
    net, model = residual()
    images = images_of(net, 16)
    extra = {"ActivationSymmetric": symmetric}
    file = by_onnxruntime(model, images, tmp_path, activation=activation, **extra)
    got = imported(file, images, table_of(net), resnap=True)
    assert got.inexact == []
    assert np.array_equal(got.ours, got.theirs)
    assert any("--resnap changed" in notice for notice in got.quantized.notices)
    grid = grid_of(got.quantized.model.graph.outputs[0])
    assert grid is not None
    reference = np.concatenate([run_onnx(model, {"x": image[None]})[0] for image in images])
    off_file, off_ours = (np.abs(q * grid.scale - reference).mean() for q in (got.file, got.ours))
    assert off_ours < 1.3 * off_file + grid.scale / 4


def test_grids_that_are_exact_already_stay_to_the_bit(tmp_path: Path) -> None:
    net = Net((1, 3, 8, 8))
    y = net.conv(net.op("Relu", [net.conv(net.x, (8, 3, 3, 3))]), (6, 8, 1, 1))
    images = images_of(net)
    file = by_onnxruntime(net.in_opset(y, 18), images, tmp_path)
    kept, resnapped = (imported(file, images, None, resnap=resnap) for resnap in (False, True))
    assert resnapped.quantized.notices == ()
    assert np.array_equal(kept.ours, resnapped.ours)


def test_the_notice_names_what_changed_and_by_how_much() -> None:
    net = QdqNet((1, 3, 8, 8))
    x = net.pair(net.x, 0.02)
    a, b = (net.pair(net.op("Conv", [x, net.weight((8, 3, 3, 3))], name), 0.02) for name in ("left", "right"))
    file = net.file(net.pair(net.op("Add", [a, b], "sum"), 0.04))
    images = images_of(net)
    got = imported(file, images, None, resnap=True)
    (notice,) = got.quantized.notices
    assert "changed 3 of 4 scales: left 0.02 to 0.02" in notice
    assert np.array_equal(got.ours, got.theirs)


def test_an_input_scale_with_a_pixel_on_a_tie_is_raised() -> None:
    net = QdqNet((1, 3, 8, 8))
    table = np.tile(np.arange(256, dtype=np.float32), (3, 1))
    images = net.rng.integers(0, 256, (8, *net.shape[1:])).astype(np.float32)
    y = net.pair(net.op("Conv", [net.pair(net.x, 2.0, 0), net.weight((8, 3, 3, 3))]), 2.0)
    kept = imported(net.file(y), images, table)
    assert [found.where.split()[0] for found in kept.inexact] == ["QuantizeLinear"]
    assert "tie" in kept.inexact[0].why
    got = imported(net.file(y), images, table, resnap=True)
    assert got.inexact == []
    assert 2.0 < got.quantized.input_grid.scale < 2.01
    assert np.array_equal(got.ours, got.theirs)


def test_a_weight_of_minus_128_becomes_minus_127() -> None:
    net = QdqNet((1, 3, 8, 8))
    integers = net.rng.integers(-127, 128, (8, 3, 1, 1)).astype(np.int8)
    integers[4, 1] = -128
    weight = net.op("DequantizeLinear", [net.constant(integers), *net.parameters(0.003, 0, np.int8)])
    file = net.file(net.pair(net.op("Conv", [net.pair(net.x, 0.02), weight]), 0.02))
    with pytest.raises(UnsupportedOpError, match="-128"):
        imported(file, images_of(net), None)
    got = imported(file, images_of(net), None, resnap=True)
    assert got.quantized.notices == ("--resnap changed 1 weight from -128 to -127",)
    assert np.array_equal(got.ours, got.theirs)


def gate(scale: float) -> QdqNet:
    net = QdqNet((1, 3, 8, 8))
    y = net.pair(net.op("Conv", [net.pair(net.x, 0.02), net.weight((8, 3, 3, 3))]), 0.02)
    net.y = net.pair(net.op("Sigmoid", [y], "gate"), scale, 0)
    return net


def test_a_sigmoid_on_the_grid_that_tflite_wants_is_kept() -> None:
    net = gate(1 / 256)
    got = imported(net.file(net.y), images_of(net), None)
    assert np.array_equal(got.ours, got.file)
    assert np.array_equal(got.ours, got.theirs)


def test_a_sigmoid_on_another_grid_is_refused_or_moved() -> None:
    net = gate(1 / 200)
    with pytest.raises(UnsupportedOpError, match=r"gate.*scale 0\.005 .* 0\.00390625"):
        imported(net.file(net.y), images_of(net), None)
    got = imported(net.file(net.y), images_of(net), None, resnap=True)
    assert np.array_equal(got.ours, got.theirs)
