"""Tasks on a board behind a real sshd, in good times and bad ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgegap.errors import DeviceError, RuntimeFailure
from edgegap.run.events import Event
from edgegap.run.ssh import Ssh
from edgegap.run.ssh.connection import AGENT

from .server import Board
from .tasks import COUNT, starts, task

Connect = Callable[..., Ssh]


def when(images: int, act: Callable[[], object]) -> Callable[[Event], None]:
    """Listens to events, and acts once after so many images."""
    acted = threading.Event()

    def on_event(event: Event) -> None:
        if event["event"] == "progress" and event["done"] >= images and not acted.is_set():
            acted.set()
            act()

    return on_event


def job_folders(board: Board) -> list[Path]:
    return [path for path in (board.cache / "jobs").iterdir() if path.is_dir()]


def test_outputs_arrive_and_the_job_folder_goes(board: Board, connect: Connect, tmp_path: Path) -> None:
    code = COUNT + "(here / 'large.raw').write_bytes(bytes(range(256)) * 5000); (here / 'empty.raw').write_bytes(b'')"
    events = connect().execute(task(tmp_path, code), tmp_path)
    assert events["done"] == {"event": "done", "files": []}
    assert events["progress"]["done"] == 3
    assert (tmp_path / "large.raw").read_bytes() == bytes(range(256)) * 5000
    assert (tmp_path / "empty.raw").read_bytes() == b""
    assert job_folders(board) == []
    assert (board.cache.stat().st_mode & 0o777) == 0o700


def test_closing_ends_the_connection(board: Board, connect: Connect) -> None:
    device = connect()
    assert device.facts.root == str(board.cache)
    assert board.sessions()
    device.close()
    for _ in range(100):
        if not board.sessions():
            return
        time.sleep(0.05)
    raise AssertionError("the connection is still there")


def test_a_file_is_uploaded_once(board: Board, connect: Connect, tmp_path: Path) -> None:
    stages: list[str] = []
    device = connect(progress=lambda stage, done, total: stages.append(stage))
    artifact = os.urandom(1000)
    for seconds in (0.0, 0.001):
        device.execute(task(tmp_path, artifact=artifact, seconds=seconds), tmp_path)
    assert [stage for stage in stages if "uploading" in stage] == ["board: uploading KiB"]


def test_a_dropped_connection_goes_on_where_it_stopped(board: Board, connect: Connect, tmp_path: Path) -> None:
    stages: list[str] = []

    def drop() -> None:
        board.kill()
        board.start()

    device = connect(progress=lambda stage, done, total: stages.append(stage))
    events = device.execute(task(tmp_path, images=20, seconds=0.05), tmp_path, when(5, drop))
    assert events["progress"]["done"] == 20
    first, second = starts(tmp_path)
    assert first == 0
    assert second >= 5
    assert any("trying again" in stage for stage in stages)
    assert job_folders(board) == []


def test_a_board_that_stays_away_keeps_what_is_finished(
    board: Board, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgegap.run.ssh.ssh._DELAYS", (0.1, 0.1))
    work = task(tmp_path, images=10, seconds=0.05)
    with pytest.raises(DeviceError, match="refuses the connection") as raised:
        connect().execute(work, tmp_path, when(5, board.kill))
    assert "--resume" in str(raised.value)
    board.wait_until_idle()  # the runner died with its connection
    board.start()
    connect().execute(work, tmp_path)
    assert starts(tmp_path)[1] >= 5


def test_stopping_leaves_nothing_running(board: Board, connect: Connect, tmp_path: Path) -> None:
    device = connect()
    with pytest.raises(DeviceError, match="stopped"):
        device.execute(task(tmp_path, images=1000, seconds=0.05), tmp_path, when(2, device.stop))
    board.wait_until_idle()
    with pytest.raises(DeviceError, match="stopped"):
        device.execute(task(tmp_path), tmp_path)


def test_a_host_that_falls_silent_leaves_nothing_running(
    board: Board, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect().execute(task(tmp_path), tmp_path)
    impatient = tmp_path / "agent.py"
    impatient.write_text(AGENT.read_text().replace("SILENCE = 60.0", "SILENCE = 1.0"))
    monkeypatch.setattr("edgegap.run.ssh.connection.AGENT", impatient)
    monkeypatch.setattr("edgegap.run.ssh.connection._ALIVE_SECONDS", 1000.0)
    monkeypatch.setattr("edgegap.run.ssh.ssh._DELAYS", ())
    with pytest.raises(DeviceError, match="broke off"):
        connect().execute(task(tmp_path, images=1000, seconds=0.05), tmp_path)
    board.wait_until_idle()


def test_stopping_while_a_runtime_is_installed_leaves_nothing_running(
    boards: Callable[..., Board], connect: Connect, tmp_path: Path
) -> None:
    board = boards()
    device = connect(progress=lambda stage, done, total: device.stop() if "making" in stage else None)
    with pytest.raises(DeviceError, match="stopped"):
        device.execute(task(tmp_path), tmp_path)
    board.wait_until_idle()
    assert all(path.suffix for path in (board.cache / "environments").iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_the_process_that_asked_for_it(
    board: Board, connect: Connect, tmp_path: Path, number: signal.Signals
) -> None:
    connect().execute(task(tmp_path), tmp_path)  # the environment is there
    caller = f"""
import pathlib, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from edgegap.run.ssh import Ssh
from edgegap.run.ssh.connection import AGENT
from edgegap.run.target import load_target
from dataclasses import replace
from tasks import task
folder = pathlib.Path({str(tmp_path)!r})
profile = replace(load_target("desktop"), runtimes={{"onnxruntime": "1.32.0"}})
Ssh("board", profile).execute(task(folder, images=1000, seconds=0.05), folder, lambda event: print(event, flush=True))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", caller], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "progress" in line:
            break
    process.send_signal(number)
    process.wait()
    process.stdout.close()
    board.wait_until_idle()


def test_a_killed_runner_was_out_of_memory(board: Board, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure, match="out of memory"):
        connect().execute(task(tmp_path, "import os; os.kill(os.getpid(), 9)"), tmp_path)


def test_a_runner_that_dies_is_quoted(board: Board, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure, match="no such thing"):
        connect().execute(task(tmp_path, "raise SystemExit('no such thing')"), tmp_path)


def test_different_tasks_run_side_by_side(board: Board, connect: Connect, tmp_path: Path) -> None:
    meet = COUNT.replace(
        'say("ready")',
        """say("ready")
(here.parent / f"here-{job['me']}").touch()
while not (here.parent / f"here-{job['other']}").exists():
    time.sleep(0.02)""",
    )
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    connect().execute(task(tmp_path), tmp_path)
    with ThreadPoolExecutor() as pool:
        both = [
            pool.submit(connect().execute, task(folder, meet, me=me, other=1 - me), folder)
            for me, folder in enumerate(folders)
        ]
        assert all(future.result(30)["done"] for future in both)
    for marker in (board.cache / "jobs").glob("here-*"):
        marker.unlink()


def test_the_same_task_twice_at_once_runs_one_after_the_other(board: Board, connect: Connect, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(connect().execute, task(folder, images=10, seconds=0.05), folder) for folder in folders]
        assert all(future.result(30)["progress"]["done"] == 10 for future in both)
    spans = sorted([float(line.split()[1]) for line in (f / "starts.txt").read_text().splitlines()] for f in folders)
    assert spans[0][-1] <= spans[1][0]


def test_a_hostile_path_is_a_path(board: Board, connect: Connect, tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s; touch pwned "$(touch pwned)" -oProxyCommand=x\n'
    folder.mkdir()
    assert connect().execute(task(folder), folder)["done"]
    assert not list(board.home.rglob("pwned"))
