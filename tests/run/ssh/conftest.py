"""A real sshd on a free port of this machine, whose sessions have a home folder and a PATH of their own."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgegap.run.ssh import Ssh
from edgegap.run.target import Target

from .server import Board, make_keys, missing
from .wheels import write_wheel

RUNTIMES = {"onnxruntime": "1.32.0", "ai-edge-litert": "2.3.0"}


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a host's and a user's key."""
    if missing():
        pytest.skip(missing())
    folder = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels that stand for ONNX Runtime and NumPy where no inference is run."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    write_wheel(folder, "onnxruntime", RUNTIMES["onnxruntime"], requires=["numpy>=1.21"])
    write_wheel(folder, "numpy", "2.0")
    return folder


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of boards that share their environment, so that it is made once."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def boards(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Board]]:
    """Starts boards; their arguments are Board's."""
    started: list[Board] = []

    def start(home: Path | None = None, **options: object) -> Board:
        folder = tmp_path / f"board-{len(started)}"
        board = Board(folder, keys, home or folder / "home", **options)  # type: ignore[arg-type]
        started.append(board)
        monkeypatch.setenv("PATH", f"{board.client}{os.pathsep}{os.environ['PATH']}")
        return board

    yield start
    for board in started:
        board.stop()


@pytest.fixture
def board(boards: Callable[..., Board], shared_home: Path) -> Iterator[Board]:
    """A board as it should be; no job of an earlier test is on it."""
    shutil.rmtree(shared_home / ".cache" / "edgegap" / "device" / "jobs", ignore_errors=True)
    return boards(shared_home)


@pytest.fixture(scope="session")
def profile() -> Target:
    """This machine as a target."""
    return Target(
        name="loopback",
        description="this machine behind ssh",
        os="Linux",
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        machine=platform.machine(),  # type: ignore[arg-type]
        cpu="any",
        isa=(),
        cores=1,
        memory_mib=256,
        activation="uint8",
        threads=1,
        runtimes=RUNTIMES,
        session={},
        sources=(),
    )


@pytest.fixture
def connect(profile: Target, wheelhouse: Path) -> Iterator[Callable[..., Ssh]]:
    """Makes devices, and closes their connections in the end."""
    made: list[Ssh] = []

    def make(host: str = "board", **options: object) -> Ssh:
        device = Ssh(host, profile, **{"wheelhouse": wheelhouse, **options})  # type: ignore[arg-type]
        made.append(device)
        return device

    yield make
    for device in made:
        device.close()
