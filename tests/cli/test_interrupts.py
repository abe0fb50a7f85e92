"""Ctrl-C and SIGTERM at any moment: exit status 130, and nothing half-written, temporary or running is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgegap.bundle import open_bundle

from .harness import COMMAND, left_behind, write_npz

POINTS = 8
STARTED = 0.1
"""Seconds after which Python itself has started; before that a signal meets no code of ours."""


def runners(temporary: Path) -> list[str]:
    """Command lines of processes that work in a temporary folder; runners do."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if f"{temporary}{os.sep}" in line:
            found.append(line)
    return found


class Running:
    """A command in folders of its own, to be interrupted."""

    def __init__(self, folder: Path, arguments: list[object], output: Path) -> None:
        self.output = output
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [str(COMMAND), *map(str, arguments)],
            env=os.environ | {"TMPDIR": str(self.temporary)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, *signals: signal.Signals) -> int:
        """Send signals, wait for the end, and check that nothing is left behind."""
        for number in signals:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=120)
        status = self.process.returncode
        if "/edgegap/cli/" not in err:  # if it died of the signal, that was while Python itself started
            assert status in (0, 130, -signal.SIGINT), (status, err)
        else:
            assert status == 130, (status, err)
            assert "Traceback" not in err, err
        # An empty cache folder is torch's own, made once for every program that exports.
        assert not [name for name in left_behind(self.temporary) if not name.startswith("torchinductor_")]
        assert not runners(self.temporary)
        assert not [name for name in left_behind(self.output.parent) if "partial" in name]
        return status


def test_an_interrupted_export_leaves_the_old_bundle_or_the_new_one_whole(
    bundle: Path, tiny_onnx: Path, tmp_path: Path
) -> None:
    data = write_npz(tmp_path / "data.npz", 16)
    call: list[object] = ["export", tiny_onnx, "--int8", "--calib", data, "--preprocess", "unit", "--force"]
    call += ["-o", bundle]
    began = time.monotonic()
    whole = Running(tmp_path, call, bundle)
    assert whole.send() == 0
    seconds = time.monotonic() - began
    statuses = []
    for k in range(POINTS):
        running = Running(tmp_path, call, bundle)
        time.sleep(STARTED + k * max(0.0, seconds - 2 * STARTED) / (POINTS - 1))
        statuses.append(running.send(signal.SIGINT))
        assert len(open_bundle(bundle).manifest.files) == 4  # hashes verified
    assert 130 in statuses


def test_an_interrupted_check_writes_no_record(bundle: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "data.npz", 16)
    for k in range(3):
        running = Running(tmp_path, ["check", bundle, "--data", data], bundle)
        time.sleep(STARTED + 0.8 * k)
        assert running.send(signal.SIGINT) == 0 or not list(bundle.glob("checks/*.json"))


def test_an_interrupt_while_torch_is_imported_or_exports_is_no_traceback(
    factory: str, weights: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out" / "bundle"
    output.parent.mkdir()
    for k in range(4):
        call: list[object] = ["export", factory, "--weights", weights, "--input-shape", "1,8,8", "-o", output]
        running = Running(tmp_path, call, output)
        time.sleep(0.4 + 0.7 * k)
        if running.send(signal.SIGINT) == 130:
            assert not output.exists()


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT], [signal.SIGTERM, signal.SIGTERM, signal.SIGINT]],
    ids=["SIGTERM", "SIGINT twice", "SIGTERM twice and SIGINT"],
)
def test_other_signals_clean_up_too(tiny_onnx: Path, tmp_path: Path, signals: list[signal.Signals]) -> None:
    data = write_npz(tmp_path / "data.npz", 16)
    output = tmp_path / "out" / "bundle"
    output.parent.mkdir()
    call: list[object] = ["export", tiny_onnx, "--int8", "--calib", data, "--preprocess", "unit", "-o", output]
    running = Running(tmp_path, call, output)
    while running.process.poll() is None and not left_behind(output.parent):
        time.sleep(0.01)
    assert running.send(*signals) == 130
    assert not left_behind(output.parent)


def python(code: str) -> str:
    """What a new Python prints while it runs `code` behind an installed Interrupt."""
    head = "import signal, time, weakref\nfrom edgegap.cli.interrupt import Interrupt\nInterrupt().install()\n"
    return subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=True).stdout


def test_an_interrupt_that_python_ignores_is_raised_again() -> None:
    code = """
class Module: pass
module = Module()
reference = weakref.ref(module, lambda _: signal.raise_signal(signal.SIGINT))
try:
    del module  # what the callback raises is lost
    print("lost")
    for _ in range(3000):
        time.sleep(0.01)
except KeyboardInterrupt:
    print("interrupted")
"""
    assert python(code).split() == ["lost", "interrupted"]


def test_a_second_signal_at_once_does_not_break_off_the_cleaning_up() -> None:
    code = """
try:
    signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    print("cleaned up")
"""
    assert python(code).strip() == "cleaned up"


@pytest.mark.parametrize("call", ["mkdir", "rmdir"])
def test_a_signal_while_a_folder_is_made_or_removed_leaves_none(call: str, tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from edgegap.disk import passing_folder
whole = os.{call}
def {call}(*arguments, **options):  # the signal comes while the system call runs
    whole(*arguments, **options)
    signal.raise_signal(signal.SIGINT)
os.{call} = {call}
beside = Path({str(tmp_path / "bundle")!r})
try:
    with passing_folder(beside=beside) as folder:
        print(folder.parent == beside.parent)
except KeyboardInterrupt:
    print(len(list(beside.parent.iterdir())))
"""
    assert python(code).split() == {"mkdir": ["0"], "rmdir": ["True", "0"]}[call]
