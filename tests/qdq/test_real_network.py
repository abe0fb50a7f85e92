"""ResNet-8 of MLPerf Tiny on CIFAR-10, quantized by ONNX Runtime."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from edgegap.graph.trace import trace

from .files import by_onnxruntime, imported


@pytest.fixture(scope="module")
def resnet8(data_dir: Path) -> ir.Model:
    import torch  # noqa: PLC0415  # slow to import

    spec = importlib.util.spec_from_file_location("networks", data_dir / "networks.py")
    assert spec is not None
    assert spec.loader is not None
    networks: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(networks)
    network = networks.resnet8()
    weights = torch.load(data_dir / "pretrained" / "mlperf_resnet8_cifar10.pt", weights_only=True)
    network.load_state_dict(weights)
    return trace(network.eval(), (3, 32, 32), "resnet8")


def test_resnet8_keeps_every_integer_of_its_file_and_resnaps_to_exact(
    resnet8: ir.Model, data_dir: Path, tmp_path: Path
) -> None:
    with np.load(data_dir / "cifar10_test.npz") as data:
        images = data["images"][:64].transpose(0, 3, 1, 2).astype(np.float32)
    table = np.tile(np.arange(256, dtype=np.float32), (3, 1))
    file = by_onnxruntime(ir.to_proto(resnet8), images[:32], tmp_path)

    kept = imported(file, images, table)
    assert np.array_equal(kept.ours, kept.file)
    assert {found.where.split()[0] for found in kept.inexact} == {"Add", "GlobalAveragePool"}
    assert np.abs(kept.ours - kept.theirs).max() <= 2
    assert np.mean(kept.ours != kept.theirs) < 0.05

    resnapped = imported(file, images, table, resnap=True)
    assert resnapped.inexact == []
    assert np.array_equal(resnapped.ours, resnapped.theirs)
    assert np.mean(resnapped.ours.argmax(axis=1) == kept.file.argmax(axis=1)) > 0.95
