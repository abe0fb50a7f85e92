"""Mixed precision: the layer that is hard to quantize is found, and it alone stays in float."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
from ops.harness import Net
from tflite.runtimes import Array, run_onnx

from edgegap.errors import DataError, DropError, exit_status
from edgegap.progress import silent
from edgegap.quantize.mixed import Mixed, keep_in_float
from edgegap.quantize.quantization import Quantization
from edgegap.quantize.quantize import quantize

from .nets import RECIPE, canonical

pytest.importorskip("torch")

IMAGES, CLASSES = 40, 5
NONE = np.full(IMAGES, -1)


def network(hard: int | None, seed: int = 0) -> tuple[Quantization, list[Array]]:
    """Three convolutions and a pool, one of which has weights over five decades: those of an input that is always 0.

    A layer's scale follows its largest weight, so that all the others round to nothing.
    """
    net = Net((1, 3, 8, 8), seed=seed)
    x = net.x
    for k, (out, read) in enumerate(((8, 3), (8, 8), (CLASSES, 8))):
        weight, bias = net.rng.normal(0, 0.5, (out, read, 1, 1)).astype(np.float32), np.zeros(out, np.float32)
        if k < 2:
            weight[0], bias[0] = 0, -1  # channel 0 is 0 behind the ReLU
        if k == hard:
            weight[1 if k < 2 else 0 :, 0] = 1e5
        x = net.op("Conv", [x, net.constant(weight), net.constant(bias)], kernel_shape=[1, 1])
        x = net.op("Relu", [x]) if k < 2 else x
    model = canonical(net, net.op("Flatten", [net.op("GlobalAveragePool", [x])]))
    table = net.pixel_table()
    colours = net.rng.integers(0, 256, (IMAGES, 3, 2, 2)).repeat(4, axis=2).repeat(4, axis=3)
    batches = [table[np.arange(3)[None, :, None, None], image[None]] for image in colours]
    return quantize(model, batches, RECIPE, table=table).parts, batches


def answers(model: ir.Model, batches: list[Array]) -> Array:
    proto = ir.to_proto(model)
    return np.array([run_onnx(proto, {"x": batch})[0].argmax() for batch in batches])


def searched(parts: Quantization, batches: list[Array], limit: float, labels: Array = NONE) -> Mixed:
    return keep_in_float(parts, batches, labels, limit, "float", silent)


@pytest.mark.parametrize("hard", [1, 2])
def test_exactly_the_hard_layer_stays_in_float(hard: int) -> None:
    parts, batches = network(hard)
    mixed = searched(parts, batches, 5)
    (kept,) = mixed.kept
    assert kept.name == list(parts.linear)[hard]
    assert mixed.parts.float_layers == {kept.name}
    assert mixed.measure == "disagreement"
    assert mixed.mixed_pp <= 5 < mixed.int8_pp
    assert kept.buys_pp == mixed.int8_pp - mixed.mixed_pp
    assert kept.costs_kib == 3 * parts.linear[kept.name].weight.size / 1024


def test_the_files_lose_what_the_search_measured() -> None:
    parts, batches = network(1)
    mixed = searched(parts, batches, 5)
    reference = answers(parts.model, batches)
    for chosen, pp in ((parts, mixed.int8_pp), (mixed.parts, mixed.mixed_pp)):
        lost = 100 * np.mean(answers(chosen.normal_form(), batches) != reference)
        assert abs(lost - pp) <= 100 / IMAGES, "one image may lie on a tie"


def test_a_limit_that_int8_meets_keeps_nothing() -> None:
    parts, batches = network(None)
    mixed = searched(parts, batches, 20)
    assert mixed.kept == ()
    assert mixed.parts is parts
    assert mixed.int8_pp == mixed.mixed_pp <= 20


def test_with_labels_the_drop_in_top1_counts() -> None:
    parts, batches = network(2)
    labels = answers(parts.model, batches)
    wrong = (labels + 1) % CLASSES
    assert searched(parts, batches, 5, labels).measure == "top-1 drop"
    assert searched(parts, batches, 5, labels).kept
    assert searched(parts, batches, 0, wrong).int8_pp <= 0, "what float gets wrong cannot be lost"


def test_a_limit_that_nothing_meets_is_a_failed_gate_that_names_the_best() -> None:
    parts, batches = network(1)
    source = str(parts.model.graph.inputs[0].name)
    grid = parts.grids[source]
    coarse = {**parts.grids, source: replace(grid, scale=1e3 * grid.scale)}  # every pixel is 0, in float layers too
    with pytest.raises(DropError, match=r"meets --max-drop 1: the best that was tried, .* pp on 40 calib") as caught:
        searched(Quantization(parts.model, coarse, parts.linear), batches, 1)
    assert exit_status(caught.value) == 1


def test_no_images_are_an_error() -> None:
    parts, _ = network(None)
    with pytest.raises(DataError, match="no images"):
        searched(parts, [], 1, np.empty(0, np.int64))
