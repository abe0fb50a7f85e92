"""On a trained network, each recipe is as good as it says: the default answers as the float network does more often."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from tflite.runtimes import run_onnx

from edgegap.graph.canonical import canonicalize
from edgegap.graph.factory import build
from edgegap.graph.shapes import set_batch
from edgegap.graph.trace import trace
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import load_recipe

pytest.importorskip("torch")

TESTED, BATCH = 2000, 250


@pytest.fixture(scope="module")
def resnet8(data_dir: Path) -> ir.Model:
    spec = f"{data_dir / 'networks.py'}:resnet8"
    network = build(spec, data_dir / "pretrained" / "mlperf_resnet8_cifar10.pt")
    sys.modules.pop("networks", None)
    return canonicalize(trace(network, (3, 32, 32), spec), (1, 3, 32, 32))


@pytest.fixture(scope="module")
def disagreement(resnet8: ir.Model, data_dir: Path) -> Callable[[str], float]:
    """Of a recipe, by name: the share of test images, in per cent, whose answer is not the float network's."""
    pixels = np.load(data_dir / "cifar10_test.npz")["images"][:TESTED].transpose(0, 3, 1, 2).astype(np.float32)
    calibration = np.load(data_dir / "cifar10_train.npz")["images"][:256].transpose(0, 3, 1, 2).astype(np.float32)
    table = np.tile(np.arange(256, dtype=np.float32), (3, 1))

    def answers(model: ir.Model) -> np.ndarray:
        batched = model.clone()
        set_batch(batched, BATCH)
        proto, source = ir.to_proto(batched), str(batched.graph.inputs[0].name)
        parts = np.split(pixels, TESTED // BATCH)
        return np.concatenate([run_onnx(proto, {source: part})[0].argmax(axis=1) for part in parts])

    expected = answers(resnet8)

    def measured(recipe: str) -> float:
        found = quantize(resnet8, [calibration], load_recipe(recipe), table=table)
        assert found.notices == ()
        return float((answers(found.model) != expected).mean() * 100)

    return measured


def test_the_default_loses_at_most_one_answer_in_a_hundred_and_half_of_what_fast_loses(disagreement) -> None:
    default = disagreement("default")
    assert default <= 1.0
    assert default <= 0.6 * disagreement("fast")
