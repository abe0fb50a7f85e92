"""A checkpoint file: what it keeps, and which files are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from edgegap.data import PRESETS
from edgegap.errors import DiskError, InputError, WeightsError
from edgegap.graph.factory import build, checkpoint_of
from edgegap.models import Arguments, Checkpoint, build_network, read_checkpoint
from edgegap.models.checkpoint import FORMAT, Weights, read_weights

ARGUMENTS = Arguments((1, 8, 8), 4)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    network = build_network("nin_tiny", ARGUMENTS)
    training = {"history": [{"epoch": 1}], "optimizer": {"state": {0: {"step": torch.ones(())}}}}
    state = network.state_dict()
    Checkpoint("zoo:nin_tiny", ARGUMENTS, False, state, tuple("abcd"), PRESETS["cifar10"], training).save(
        tmp_path / "net.pt"
    )
    return tmp_path / "net.pt"


def altered(path: Path, **changes: Any) -> Path:
    record = torch.load(path, weights_only=True)
    torch.save({key: value for key, value in (record | changes).items() if value is not ...}, path)
    return path


def test_it_is_one_file_that_torch_reads_without_running_code(saved: Path) -> None:
    record = torch.load(saved, weights_only=True)
    assert record["format"] == FORMAT
    assert record["architecture"]["model"] == "zoo:nin_tiny"
    assert record["preprocessing"]["mean"] == list(PRESETS["cifar10"].mean)
    assert [path.name for path in saved.parent.iterdir()] == ["net.pt"]


def test_everything_comes_back(saved: Path) -> None:
    checkpoint = read_checkpoint(saved)
    assert checkpoint.arguments == ARGUMENTS
    assert checkpoint.classes == ("a", "b", "c", "d")
    assert checkpoint.preprocessing == PRESETS["cifar10"]
    assert checkpoint.training is not None
    assert checkpoint.training["history"] == [{"epoch": 1}]


def test_a_network_is_built_from_the_file_alone(saved: Path) -> None:
    for network in (build(str(saved), None), build("zoo:nin_tiny", saved)):
        state = read_checkpoint(saved).state_dict
        assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
        assert not network.training
    assert checkpoint_of(str(saved), None) is not None
    assert checkpoint_of("zoo:nin_tiny", saved) is not None
    assert checkpoint_of("net.onnx", None) is None
    assert checkpoint_of("net.py:net", None) is None


def test_a_network_of_the_zoo_takes_a_plain_state_dict_too(tmp_path: Path) -> None:
    network = build_network("nin_tiny", Arguments((1, 8, 8), 10))
    torch.save(network.state_dict(), tmp_path / "state.pt")
    assert isinstance(read_weights(tmp_path / "state.pt"), Weights)
    assert torch.equal(next(build("zoo:nin_tiny", tmp_path / "state.pt").parameters()), next(network.parameters()))


def test_a_network_of_the_zoo_without_weights_is_refused() -> None:
    with pytest.raises(WeightsError, match="needs weights") as caught:
        build("zoo:nin_tiny", None)
    assert "edgegap train nin_tiny" in str(caught.value)


def test_a_checkpoint_of_another_network_is_refused(saved: Path) -> None:
    with pytest.raises(WeightsError, match="checkpoint of zoo:nin_tiny, not of zoo:resnet8"):
        build("zoo:resnet8", saved)
    with pytest.raises(InputError, match="carries its own weights"):
        build(str(saved), saved)


def test_a_checkpoint_chooses_no_code_that_runs_here(saved: Path) -> None:
    model = {"model": "os:getcwd", "arguments": ARGUMENTS.to_json(), "gap_head": False}
    with pytest.raises(WeightsError, match="whose code is not in it"):
        build(str(altered(saved, architecture=model)), None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": "edgegap.checkpoint/9"}, "format 'edgegap.checkpoint/9'"),
        ({"format": ...}, "plain state dict"),
        ({"architecture": ...}, "damaged checkpoint"),
        ({"architecture": {"model": "zoo:nin_tiny", "arguments": {"head": "gap"}, "gap_head": False}}, "damaged"),
        ({"state_dict": {"weight": 1}}, "damaged checkpoint"),
        ({"preprocessing": {"mean": "none"}}, "damaged checkpoint"),
        ({"training": ...}, "damaged checkpoint"),
    ],
)
def test_a_file_with_something_wrong_in_it_is_refused(saved: Path, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(WeightsError, match=reason):
        read_checkpoint(altered(saved, **changes))


def test_a_truncated_missing_or_foreign_file_is_refused(saved: Path) -> None:
    content = saved.read_bytes()
    for cut in (0, 10, len(content) // 2):
        saved.write_bytes(content[:cut])
        with pytest.raises(WeightsError, match="can be loaded without running code"):
            read_checkpoint(saved)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_checkpoint(saved.parent / "nothing.pt")
    torch.save({"weight": torch.zeros(1)}, saved)
    with pytest.raises(WeightsError, match="plain state dict"):
        read_checkpoint(saved)


def test_a_file_that_cannot_be_written_leaves_the_old_one(saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(DiskError):
        replace(read_checkpoint(saved), classes=("other",)).save(saved / "below")
    assert saved.read_bytes() == before
