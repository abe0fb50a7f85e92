"""Networks of one dimension and of features, from a factory to bundles that are proved and checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from .harness import edgegap, refused

NETWORKS = """
import torch
from torch import nn

class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(16, 16, 5, padding=4, dilation=2), nn.BatchNorm1d(16), nn.PReLU(16))
        self.second = nn.Sequential(nn.Conv1d(16, 16, 3, padding=1, groups=16), nn.Conv1d(16, 16, 1))

    def forward(self, x):
        return torch.relu(x + self.second(self.first(x)))

def with_statistics(network, *shape):
    with torch.no_grad():
        network.train()(torch.randn(64, *shape))
    return network.eval()

def series():
    torch.manual_seed(0)
    stem = nn.Sequential(nn.BatchNorm1d(6), nn.Conv1d(6, 16, 7, stride=2, padding=3), nn.BatchNorm1d(16), nn.ReLU())
    head = nn.Sequential(nn.Conv1d(16, 5, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    return with_statistics(nn.Sequential(stem, nn.MaxPool1d(3, 2, 1), Residual(), nn.AvgPool1d(2), head), 6, 60)

def flat():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(6, 8, 5), nn.ReLU(), nn.Conv1d(8, 8, 3, stride=3), nn.Flatten(), nn.Linear(144, 5))

def lengths():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(6, 8, 5, stride=2), nn.ReLU(), nn.Conv1d(8, 5, 3), Mean())

class Mean(nn.Module):
    def forward(self, x):
        return x.mean(2)

def keywords():
    torch.manual_seed(0)
    stem = nn.Sequential(nn.Conv2d(1, 16, (10, 4), stride=2, padding=(5, 1)), nn.BatchNorm2d(16), nn.ReLU())
    depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.BatchNorm2d(16), nn.ReLU())
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5))
    return with_statistics(nn.Sequential(stem, depthwise, head), 1, 49, 10)
"""

SHAPES = {"series": (6, 60), "keywords": (1, 49, 10)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the factories, and features with labels for each."""
    (tmp_path / "nets.py").write_text(NETWORKS)
    rng = np.random.default_rng(0)
    for name, shape in SHAPES.items():
        x = rng.normal(size=(48, *shape)).astype(np.float32)
        np.savez(tmp_path / f"{name}.npz", x=x, labels=rng.integers(0, 5, 48))
    return tmp_path


def exported(home: Path, model: object, data: str, *options: object) -> Path:
    """The bundle of a network whose int8 files take and give integers: all of it is exact."""
    call = ("export", model, "--int8", "--calib", home / f"{data}.npz", "--io", "int8", "-o", home / "out")
    done = edgegap(*call, *options, "--json", "-")
    assert done.status == 0, done.err
    assert done.record["exactness"] == "exact"
    (identity,) = done.record["identity"]
    assert (identity["different"], identity["bound_lsb"]) == (0, 0)
    assert done.record["float_ops"] == []
    return home / "out"


def saved_by_torch(home: Path, name: str, *, dynamic: bool = False) -> Path:
    """The file that torch's exporter makes of a factory's network, of any batch and length where it is dynamic."""
    import torch  # noqa: PLC0415  # slow to import

    from edgegap.graph.factory import build  # noqa: PLC0415  # see above

    network = build(f"{home / 'nets.py'}:{name}", None)
    lines = (torch.zeros(1, *SHAPES["series"]),)
    shapes = ({0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC},) if dynamic else None
    program = torch.onnx.export(
        network, lines, dynamo=True, opset_version=18, input_names=["x"], dynamic_shapes=shapes, verbose=False
    )
    assert program is not None
    program.save(home / f"{name}.onnx")
    return home / f"{name}.onnx"


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_features_from_an_npz_give_a_bundle_that_is_exact(name: str, home: Path) -> None:
    bundle = exported(home, f"{home / 'nets.py'}:{name}", name)
    checked = edgegap("check", bundle, "--data", home / f"{name}.npz", "--json", "-")
    assert checked.status == 0, checked.err
    assert checked.record["n"] == 48
    assert all(row["different"] == 0 for row in checked.record["identity"])
    drift = [row["agreement_pct"] for row in checked.record["results"] if row["artifact"].startswith("int8")]
    assert min(drift) > 85


def test_a_file_that_takes_lines_gives_files_that_take_maps_and_are_timed(home: Path) -> None:
    bundle = exported(home, saved_by_torch(home, "series"), "series")
    assert json.loads((bundle / "manifest.json").read_text())["input_shape"] == [1, 6, 1, 60]
    assert edgegap("bench", bundle, "--threads", 1, "--time-limit", 0.1).status == 0


def test_a_file_of_any_length_is_given_one_in_two_numbers(home: Path) -> None:
    network = saved_by_torch(home, "lengths", dynamic=True)
    refused("export", network, "-o", home / "out", words=("size of the input", "C,L"))
    bundle = exported(home, network, "series", "--input-shape", "6,60")
    assert json.loads((bundle / "manifest.json").read_text())["input_shape"] == [1, 6, 1, 60]


def test_two_numbers_are_the_channels_and_length_of_a_factorys_lines(home: Path) -> None:
    call = ("export", f"{home / 'nets.py'}:series", "--input-shape", "6,60", "-o", home / "out", "--json", "-")
    done = edgegap(*call)
    assert done.status == 0, done.err
    assert json.loads((home / "out" / "manifest.json").read_text())["input_shape"] == [1, 6, 1, 60]


def test_a_quantized_file_that_takes_lines_keeps_its_integers(home: Path) -> None:
    from onnxruntime import quantization as q  # noqa: PLC0415  # slow to import

    class Reader(q.CalibrationDataReader):
        def __init__(self) -> None:
            self.rows = iter(np.load(home / "series.npz")["x"][:16])

        def get_next(self) -> dict[str, np.ndarray] | None:
            row = next(self.rows, None)
            return None if row is None else {"x": row[None]}

    saved_by_torch(home, "flat")
    q.quantize_static(home / "flat.onnx", home / "qdq.onnx", Reader(), activation_type=q.QuantType.QUInt8)
    call = ("export", home / "qdq.onnx", "--calib", home / "series.npz", "-o", home / "out", "--json", "-")
    done = edgegap(*call)
    assert done.status == 0, done.err
    kept = [row for row in done.record["identity"] if "qdq.onnx" in row["artifacts"]]
    assert [row["different"] for row in kept] == [0]


def test_a_network_of_lines_that_does_not_take_their_channels_is_told_so(home: Path) -> None:
    call = ("export", f"{home / 'nets.py'}:series", "--input-shape", "7,1,60", "-o", home / "out")
    refused(*call, words=("[1, 7, 1, 60]", "[1, 7, 60]", "--input-shape"))


def test_images_where_lines_are_needed_are_told_so(home: Path) -> None:
    call = ("export", f"{home / 'nets.py'}:series", "--int8", "--calib", home / "keywords.npz", "-o", home / "out")
    refused(*call, words=("[1, 1, 49, 10]", "--input-shape"))
