"""What can be wrong with a board: each has its sentence, and exit status 3."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgegap.errors import DeviceError, DiskError, InputError, RuntimeFailure
from edgegap.run.ssh import Ssh

from .server import USER, Board, fake_python
from .tasks import task
from .wheels import write_wheel

Boards = Callable[..., Board]
Connect = Callable[..., Ssh]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_an_unknown_host_key(boards: Boards, connect: Connect) -> None:
    boards(known=False)
    with pytest.raises(DeviceError, match=r"host key is unknown\nRun `ssh board` once"):
        _ = connect().facts


def test_a_users_configuration_does_not_weaken_that(boards: Boards, connect: Connect) -> None:
    board = boards(known=False)
    with open(board.ssh_config, "a") as config:
        config.write("  StrictHostKeyChecking no\n")
    with pytest.raises(DeviceError, match="host key is unknown"):
        _ = connect().facts


def test_a_changed_host_key(boards: Boards, connect: Connect, keys: Path) -> None:
    board = boards(known=False)
    key = (keys / "stranger.pub").read_text()
    board.known_hosts.write_text(f"[127.0.0.1]:{board.port} {key}")
    with pytest.raises(DeviceError, match="another one than known_hosts has"):
        _ = connect().facts


@pytest.mark.usefixtures("board")
def test_a_wrong_user(connect: Connect) -> None:
    with pytest.raises(DeviceError, match="refuses this user or key"):
        _ = connect("nobody-of-that-name@board").facts


def test_a_wrong_key(board: Board, connect: Connect) -> None:
    text = board.ssh_config.read_text()
    board.ssh_config.write_text(text.replace("/user\n", "/stranger\n"))
    with pytest.raises(DeviceError, match="refuses this user or key"):
        _ = connect(f"{USER}@board").facts


def test_a_refused_connection(board: Board, connect: Connect) -> None:
    board.kill()
    with pytest.raises(DeviceError, match="refuses the connection"):
        _ = connect().facts


def test_a_name_that_nobody_has(board: Board, connect: Connect) -> None:
    text = board.ssh_config.read_text()
    board.ssh_config.write_text(text.replace("HostName 127.0.0.1", "HostName board.invalid"))
    with pytest.raises(DeviceError, match="there is no such host"):
        _ = connect().facts


def test_a_host_that_does_not_answer(board: Board, connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = board.ssh_config.read_text()
        board.ssh_config.write_text(text.replace(f"Port {board.port}", f"Port {silent.getsockname()[1]}"))
        with pytest.raises(DeviceError, match="does not answer"):
            _ = connect().facts


def test_no_ssh(connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="apt install openssh-client"):
        _ = connect().facts


def test_no_python(boards: Boards, connect: Connect, tmp_path: Path) -> None:
    boards(path=str(tmp_path))
    with pytest.raises(DeviceError, match=r"no python3\nInstall one there: apt install python3"):
        _ = connect().facts


def test_python_3_7(boards: Boards, connect: Connect, tmp_path: Path) -> None:
    boards(path=fake_python(tmp_path / "old", "sys.version_info = (3, 7, 3, 'final', 0)"))
    with pytest.raises(DeviceError, match=r"is Python 3\.7"):
        _ = connect().facts


def test_a_python_without_venv(boards: Boards, connect: Connect, tmp_path: Path) -> None:
    boards(path=fake_python(tmp_path / "debian", "sys.modules['ensurepip'] = None"))
    with pytest.raises(DeviceError, match="apt install python3-venv"):
        connect().execute(task(tmp_path), tmp_path)


def test_no_runtime_and_no_internet(boards: Boards, connect: Connect, tmp_path: Path) -> None:
    nowhere = {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": ""}
    board = boards(environment=nowhere)
    with pytest.raises(RuntimeFailure, match=r"(?s)no internet to get it.*--wheelhouse"):
        connect(wheelhouse=None).execute(task(tmp_path), tmp_path)
    assert not list((board.cache / "environments").glob("*/"))


def test_a_runtime_that_cannot_be_imported_leaves_no_environment(
    boards: Boards, connect: Connect, tmp_path: Path, wheelhouse: Path
) -> None:
    board = boards()
    broken = tmp_path / "broken"
    shutil.copytree(wheelhouse, broken)
    write_wheel(broken, "onnxruntime", "1.32.0", requires=["numpy"], code="raise ImportError('GLIBC_9.99 not found')")
    with pytest.raises(RuntimeFailure, match=r"GLIBC_9\.99 not found"):
        connect(wheelhouse=broken).execute(task(tmp_path), tmp_path)
    assert not list((board.cache / "environments").glob("*/"))


def test_a_runtime_that_the_profile_does_not_have(board: Board, connect: Connect) -> None:
    with pytest.raises(InputError, match="the profile has no tflite-runtime"):
        connect().environment("tflite-runtime")


def test_no_room_for_an_upload(
    boards: Boards, connect: Connect, small_disk: Path, shared_home: Path, tmp_path: Path
) -> None:
    boards(shared_home)
    connect().execute(task(tmp_path), tmp_path)  # the environment is there
    board = boards(small_disk)
    board.cache.mkdir(parents=True)
    (board.cache / "environments").symlink_to(shared_home / ".cache" / "edgegap" / "device" / "environments")
    with pytest.raises(DiskError, match="no room for the upload"):
        connect().execute(task(tmp_path), tmp_path)


def test_a_disk_that_fills_up(
    boards: Boards, connect: Connect, small_disk: Path, shared_home: Path, tmp_path: Path
) -> None:
    boards(shared_home)
    work = task(tmp_path, "x" * 3_000_000)
    with pytest.raises(RuntimeFailure):
        connect().execute(work, tmp_path)
    board = boards(small_disk)
    board.cache.mkdir(parents=True)
    for name in ("environments", "files"):
        (board.cache / name).symlink_to(shared_home / ".cache" / "edgegap" / "device" / name)
    with pytest.raises(DiskError, match=r"(?s)No space left on device.*--purge"):
        connect().execute(work, tmp_path)
