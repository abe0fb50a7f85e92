"""A network trained on digits and the bundles made of it, once for all tests of the command line."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import edgegap, write_onnx

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

FACTORY = """
from torch import nn

def tiny():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 24, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(24, 10, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )

def raises():
    raise ValueError("no network today")

def leaves():
    raise SystemExit("no network either")

def number():
    return 3

class NamedOutputs(nn.Module):
    def forward(self, x):
        return {"logits": x}

class Auxiliary(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 3)
        self.auxiliary = nn.Sequential(nn.Conv2d(10, 10, 3), nn.SELU())

    def forward(self, x):
        x = self.conv(x)
        return x.mean((2, 3)), self.auxiliary(x).mean((2, 3))

class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 1)

    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        return x if x.sum() > 0 else -x

class Selus(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 10, 3)
        self.gate = nn.Sequential(nn.Conv2d(10, 10, 1), nn.SELU())

    def forward(self, x):
        x = self.stem(x)
        return (x * self.gate(x)).mean((2, 3))
"""


@pytest.fixture(autouse=True)
def _as_we_found_it(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line changes sys.path and what signals do: its process is its own. Here it is not."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with digits_net.py."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "digits_net.py").write_text(FACTORY)
    return folder


@pytest.fixture(scope="session")
def factory(home: Path) -> str:
    """MODEL: file.py:factory."""
    return f"{home / 'digits_net.py'}:tiny"


@pytest.fixture(scope="session")
def weights(home: Path) -> Path:
    """A state dict of the factory's network, trained on digits for some seconds."""
    import torch  # noqa: PLC0415  # slow to import
    from torch.nn.functional import cross_entropy  # noqa: PLC0415

    from edgegap.data import batches, load_preprocessing, open_data  # noqa: PLC0415

    unit = load_preprocessing("unit")
    (batch,) = batches(open_data("digits:train"), unit, 2000)
    images, labels = torch.from_numpy(unit.apply(batch.images)), torch.from_numpy(batch.labels)
    torch.manual_seed(0)
    scope: dict[str, object] = {}
    exec(FACTORY, scope)  # noqa: S102  # our own text
    network: torch.nn.Module = scope["tiny"]()  # type: ignore[operator]
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(8):
        for chosen in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            cross_entropy(network(images[chosen]), labels[chosen]).backward()
            optimizer.step()
    path = home / "digits.pt"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def tiny_onnx(home: Path) -> Path:
    """MODEL: a float .onnx of random weights."""
    return write_onnx(home / "tiny.onnx")


@pytest.fixture(scope="session")
def trained(home: Path, factory: str, weights: Path) -> Path:
    """The bundle of the trained network; treat it as read-only."""
    done = edgegap(
        "export",
        factory,
        "--weights",
        weights,
        "--int8",
        "--calib",
        "digits:train",
        "--preprocess",
        "unit",
        "-o",
        home / "trained",
    )
    assert done.status == 0, done.err
    return home / "trained"


@pytest.fixture(scope="session")
def integers(home: Path, tiny_onnx: Path) -> Path:
    """A bundle whose int8 files take and give integers; treat it as read-only."""
    done = edgegap(
        "export",
        tiny_onnx,
        "--int8",
        "--io",
        "int8",
        "--calib",
        "digits:train",
        "--preprocess",
        "unit",
        "--samples",
        40,
        "-o",
        home / "integers",
    )
    assert done.status == 0, done.err
    return home / "integers"


@pytest.fixture
def bundle(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained bundle, to write into."""
    return Path(shutil.copytree(trained, tmp_path / "bundle"))
