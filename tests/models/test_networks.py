"""Every network of the catalogue is built, costs what it says, and becomes an exact int8 bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from cli.harness import edgegap

from edgegap.errors import ModelError
from edgegap.models import ARCHITECTURES, Arguments, Checkpoint, build_network
from edgegap.models.cost import cost_of
from edgegap.models.heads import HeadName

SMALL = {
    "nin_tiny": (1, 8, 8),
    "nin": (3, 12, 12),
    "resnet8": (3, 16, 16),
    "resnet20": (3, 12, 12),
    "ds_cnn": (1, 20, 10),
    "mobilenet_v1": (3, 64, 64),
    "mobilenet_v2": (3, 64, 64),
}
CASES: list[tuple[str, HeadName]] = [(name, "gap") for name in SMALL] + [("resnet8", "gap-linear"), ("nin_tiny", "fc")]


def checkpoint(name: str, head: HeadName, path: Path) -> Path:
    """Random weights, and BatchNorm statistics as if the network had seen images."""
    arguments = Arguments(SMALL[name], 5, head)
    torch.manual_seed(0)
    network = build_network(name, arguments).train()
    with torch.no_grad():
        for _ in range(20):
            network(torch.rand(8, *SMALL[name]))
    Checkpoint(f"zoo:{name}", arguments, False, network.state_dict(), tuple("abcde"), None).save(path)
    return path


@pytest.mark.parametrize(("name", "head"), CASES, ids=lambda value: value)
def test_it_becomes_an_exact_int8_bundle(name: str, head: HeadName, tmp_path: Path) -> None:
    channels, height, width = SMALL[name]
    shape = (12, height, width, channels)
    np.savez(tmp_path / "images.npz", images=np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    weights = checkpoint(name, head, tmp_path / "weights.pt")
    call = ("--int8", "--calib", tmp_path / "images.npz", "--preprocess", "unit", "--recipe", "fast")
    done = edgegap("export", f"zoo:{name}", "--weights", weights, *call, "-o", tmp_path / "bundle", "--json", "-")
    assert done.status == 0, done.err
    assert done.record["exactness"] == "exact", done.record["inexact"]
    assert done.record["float_ops"] == []
    assert [row["different"] for row in done.record["identity"]] == [0]
    assert f'"head": "{head}"' in (tmp_path / "bundle" / "manifest.json").read_text()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_its_cost_is_that_of_a_network_that_computes(name: str) -> None:
    arguments = Arguments(SMALL[name], 5)
    network = build_network(name, arguments)
    assert network(torch.zeros(2, *SMALL[name])).shape == (2, 5)
    with torch.device("meta"):
        assert cost_of(build_network(name, arguments), SMALL[name]) == cost_of(network, SMALL[name])


def test_the_cost_of_a_layer_is_outputs_times_what_each_sums_over() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), torch.nn.Flatten(), torch.nn.Linear(6 * 4 * 4, 3)
    )
    cost = cost_of(network, (4, 8, 8))
    assert cost.macs == 6 * 4 * 4 * (2 * 3 * 3) + 6 * 4 * 4 * 3
    assert cost.parameters == 6 * 2 * 9 + 6 + 96 * 3 + 3
    assert cost.bytes == 4 * cost.parameters


def test_resnet8_is_as_large_as_the_paper_of_mlperf_tiny_says() -> None:
    assert round(cost_of(build_network("resnet8", Arguments((3, 32, 32), 10)), (3, 32, 32)).macs / 1e6, 1) == 12.5


def test_an_unknown_name_is_answered_with_the_names() -> None:
    with pytest.raises(ModelError, match="resnet9") as caught:
        build_network("resnet9", Arguments((3, 32, 32), 10))
    assert "resnet8" in str(caught.value)


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(ModelError, match="1x1 pixels are too small for nin_tiny"):
        build_network("nin_tiny", Arguments((1, 1, 1), 10))
