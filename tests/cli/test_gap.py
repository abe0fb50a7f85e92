"""`edgegap gap`: a network of one's own, a network of the zoo, and networks that have nothing to replace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from jsonschema import Draft202012Validator

from edgegap.models import read_checkpoint
from edgegap.schema import schema

from .harness import edgegap, left_behind, refused

MINE = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        return self.fc(self.features(x).view(x.size(0), -1))

def average():
    return nn.Sequential(nn.Conv2d(1, 16, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))

def nine():
    return nn.Sequential(nn.Conv2d(1, 16, 3), nn.Flatten(), nn.Linear(576, 9))
"""
OPTIONS = ("--data", "digits:train", "--val", "digits:test", "--preprocess", "unit", "--threads", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of one's own with weights, and a trained network of the zoo with a fully connected head."""
    folder = tmp_path_factory.mktemp("gap")
    (folder / "mine.py").write_text(MINE)
    scope: dict[str, object] = {}
    exec(MINE, scope)  # noqa: S102  # our own text
    torch.manual_seed(0)
    torch.save(scope["Net"]().state_dict(), folder / "mine.pt")  # type: ignore[operator]
    call = ("--data", "digits:train", "--preprocess", "unit", "--threads", 1, "--epochs", 3, "--head", "fc")
    done = edgegap("train", "nin_tiny", *call, "-o", folder / "fc.pt")
    assert done.status == 0, done.err
    return folder


def test_a_network_of_the_zoo_before_against_after(folder: Path, tmp_path: Path) -> None:
    call = ("gap", folder / "fc.pt", *OPTIONS[:4], "--threads", 1, "--epochs", 5, "--lr", 0.005)
    done = edgegap(*call, "-o", tmp_path / "gap.pt", "--json", "-")
    assert done.status == 0, done.err
    record = done.record
    Draft202012Validator(schema("gap")).validate(record)
    assert (record["before"]["parameters"], record["after"]["parameters"]) == (34474, 24874)
    assert record["before"]["macs"] == record["after"]["macs"]
    assert record["after"]["top1_pct"] > 90
    assert record["after"]["top1_pct"] > record["untuned"]["top1_pct"]
    drop = record["before"]["top1_pct"] - record["after"]["top1_pct"]
    assert record["drop_pp"] == pytest.approx(drop) == pytest.approx((record["lost"] - record["won"]) / 5)
    assert record["drop_ci95_pp"][0] <= record["drop_pp"] <= record["drop_ci95_pp"][1]
    assert left_behind(tmp_path) == ["gap.jsonl", "gap.png", "gap.pt"]


def test_the_checkpoint_of_a_factory_is_exported_as_an_exact_gap_network(folder: Path, tmp_path: Path) -> None:
    mine, path = f"{folder / 'mine.py'}:Net", tmp_path / "gap.pt"
    done = edgegap("gap", mine, "--weights", folder / "mine.pt", *OPTIONS, "--epochs", 1, "-o", path)
    assert done.status == 0, done.err
    for word in ("before", "untuned", "after", "multiply-accumulates", "95 % interval"):
        assert word in done.out
    checkpoint = read_checkpoint(path)
    assert checkpoint.gap_head
    assert checkpoint.classes == tuple("0123456789")
    call = ("--int8", "--calib", "digits:train", "--preprocess", "unit", "--samples", 16, "--recipe", "fast")
    done = edgegap("export", mine, "--weights", path, *call, "-o", tmp_path / "bundle")
    assert done.status == 0, done.err
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    assert (manifest["head"], manifest["exactness"]) == ("gap", "exact")


def test_without_validation_images_it_says_what_was_measured(folder: Path, tmp_path: Path) -> None:
    call = ("--weights", folder / "mine.pt", "--data", "digits:train", "--preprocess", "unit", "--epochs", 1)
    done = edgegap("gap", f"{folder / 'mine.py'}:Net", *call, "--threads", 1, "-o", tmp_path / "gap.pt", "--json", "-")
    assert done.status == 0
    assert "--val" in done.err
    assert done.record["n"] == 1297


@pytest.mark.parametrize(
    ("name", "words"),
    [("average", "nothing is left to average"), ("nine", ("[9] scores", "10 classes")), ("none", "none")],
)
def test_a_network_without_a_head_to_replace_is_refused(
    name: str, words: str | tuple[str, ...], folder: Path, tmp_path: Path
) -> None:
    refused("gap", f"{folder / 'mine.py'}:{name}", *OPTIONS, "-o", tmp_path / "out" / "gap.pt", words=words)
    assert not (tmp_path / "out").exists()


def test_other_calls_that_are_wrong_are_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "gap.pt"
    refused("gap", "net.onnx", *OPTIONS, "-o", out, words="cannot be trained")
    refused("gap", "zoo:nin_tiny", *OPTIONS, "-o", out, words=("needs weights", "edgegap train nin_tiny"))
    refused("gap", "zoo:resnet8", "--weights", folder / "fc.pt", *OPTIONS, "-o", out, words="not of zoo:resnet8")
    refused("gap", folder / "fc.pt", *OPTIONS, "-o", folder / "fc.pt", words="exists already")
    mine = f"{folder / 'mine.py'}:Net"
    refused("gap", mine, "--data", "digits:train", "-o", out, words="--preprocess")
    refused("gap", mine, *OPTIONS, "--optimizer", "sgd", "--lr", "1e38", "-o", out, words="not finite")
