"""Real emulated boards, set up once in the user's cache and shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.harness import edgegap, write_npz, write_onnx

from edgegap.errors import DeviceError
from edgegap.run.emulate import is_set_up, set_up
from edgegap.run.emulate.debian import require_debian
from edgegap.run.emulate.wheels import require_pip
from edgegap.run.target import Target, load_target

OFFLINE = (
    "Failed to fetch",
    "Temporary failure",
    "Could not connect",
    "Could not resolve",
    "Connection",
    "No matching",
)
"""What apt and pip say where there is no internet."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "boards: every emulated board; minutes of work, which `-m boards` asks for")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("boards") and "boards" not in item.config.option.markexpr:
        pytest.skip("takes minutes: make verify, or pytest -m boards")


def ready(name: str) -> Target:
    """A target whose emulation is set up; the test is skipped where that cannot be."""
    target = load_target(name)
    if not is_set_up(target):
        try:
            require_debian()
            require_pip()
        except DeviceError as error:
            pytest.skip(str(error))
        try:
            set_up([target])
        except DeviceError as error:
            if any(words in str(error) for words in OFFLINE):
                pytest.skip(f"what the emulator is made of cannot be downloaded here: {error}")
            raise
    return target


@pytest.fixture(scope="session")
def pi5() -> Target:
    return ready("pi5")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network in all four files."""
    folder = tmp_path_factory.mktemp("tiny")
    data = write_npz(folder / "data.npz", 64)
    done = edgegap(
        *("export", write_onnx(folder / "net.onnx"), "--int8", "--calib", data, "--preprocess", "unit"),
        *("-o", folder / "bundle"),
    )
    assert done.status == 0, done
    return folder / "bundle"
