"""A real network and real images through the command line: ResNet-8 of MLPerf Tiny on CIFAR-10."""

from __future__ import annotations

from pathlib import Path

from .harness import edgegap


def test_resnet8_is_exported_exactly_and_loses_little(data_dir: Path, tmp_path: Path) -> None:
    weights = data_dir / "pretrained" / "mlperf_resnet8_cifar10.pt"
    network = f"{data_dir / 'networks.py'}:resnet8"
    call = ("--int8", "--calib", data_dir / "cifar10_train.npz", "--preprocess", "raw", "--samples", 64)
    done = edgegap("export", network, "--weights", weights, *call, "-o", tmp_path / "out", "--json", "-")
    assert done.status == 0, done.err
    assert done.record["exactness"] == "exact"
    assert done.record["float_ops"] == []

    done = edgegap("check", tmp_path / "out", "--data", data_dir / "cifar10_test.npz", "--samples", 200, "--json", "-")
    assert done.status == 0, done.err
    record = done.record
    assert record["reference"]["top1_pct"] > 82
    assert record["identity"][0]["compared"] == 2000
    assert record["identity"][0]["different"] == 0
    assert min(row["agreement_pct"] for row in record["results"]) > 95
