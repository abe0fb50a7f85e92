"""`edgegap doctor` on a board behind a real sshd."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edgegap.run.ssh import Ssh
from edgegap.schema import schema

from .server import Board, fake_python
from .tasks import task

Boards = Callable[..., Board]
Connect = Callable[..., Ssh]
COMMAND = Path(sys.executable).with_name("edgegap")

PROFILE = """\
description = "this machine behind ssh"
os = "Linux"
python = "{python}"
machine = "{machine}"
cpu = "any"
isa = []
cores = 1
memory_mib = 16
activation = "uint8"
threads = 1
sources = []

[runtimes]
onnxruntime = "1.32.0"

[session]
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    path = tmp_path / "loopback.toml"
    path.write_text(PROFILE.format(python=python, machine=platform.machine()))
    return path


def doctor(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(COMMAND), "doctor", "--host", "board", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def record_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(done.stdout)
    Draft202012Validator(schema("doctor")).validate(record)
    return record


def states(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {finding["name"]: finding["state"] for finding in record_of(done)["findings"]}


def test_a_board_that_will_be_ready_on_first_use(boards: Boards, target: Path, wheelhouse: Path) -> None:
    boards()
    done = doctor("--target", target, "--wheelhouse", wheelhouse, "--json", "-")
    assert done.returncode == 0, done.stderr
    record = record_of(done)
    assert (record["schema"], record["host"], record["target"]) == ("edgegap.doctor/1", "board", "loopback")
    assert record["ready"] is True
    expected = dict.fromkeys(("system", "machine", "CPU", "memory", "Python", "disk", "venv"), "ok")
    assert states(done) == expected | {"onnxruntime==1.32.0": "note"}


def test_a_board_that_is_set_up_and_purged(
    boards: Boards,
    connect: Connect,
    target: Path,
    tmp_path: Path,
    shared_home: Path,
) -> None:
    board = boards(shared_home)
    connect().execute(task(tmp_path), tmp_path)
    done = doctor("--target", target, "--json", "-")
    assert states(done)["onnxruntime==1.32.0"] == "ok"
    purged = doctor("--purge")
    assert purged.returncode == 0, purged.stderr
    assert not board.cache.parent.exists()
    assert doctor("--purge").returncode == 0


def test_what_is_missing_is_named_and_ends_in_3(boards: Boards, target: Path, tmp_path: Path) -> None:
    boards(path=fake_python(tmp_path / "debian", "sys.modules['ensurepip'] = None"))
    done = doctor("--target", target)
    assert done.returncode == 3
    assert "board: not ready: venv" in done.stderr
    assert "apt install python3-venv" in done.stdout


def test_a_wheelhouse_that_lacks_something_is_not_ready(boards: Boards, target: Path, tmp_path: Path) -> None:
    boards()
    done = doctor("--target", target, "--wheelhouse", tmp_path, "--json", "-")
    assert done.returncode == 3
    assert "not ready: onnxruntime==1.32.0" in done.stderr
    assert "pip download" in next(f["hint"] for f in record_of(done)["findings"] if f["state"] == "missing")


def test_a_profile_of_another_machine_is_not_ready(boards: Boards, target: Path) -> None:
    boards()
    other = "aarch64" if platform.machine() != "aarch64" else "x86_64"
    target.write_text(target.read_text().replace(platform.machine(), other))
    done = doctor("--target", target)
    assert done.returncode == 3
    assert "not ready: machine" in done.stderr


def test_a_board_that_cannot_be_reached(boards: Boards, target: Path) -> None:
    boards().kill()
    done = doctor("--target", target)
    assert (done.returncode, done.stdout) == (3, "")
    assert "board: it refuses the connection" in done.stderr
