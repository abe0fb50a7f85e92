"""The loopback server of docs/devices.md, line by line."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .server import SSHD, missing

CHAPTER = Path(__file__).resolve().parents[3] / "docs" / "devices.md"


def test_the_commands_of_the_loopback_server_run(tmp_path: Path) -> None:
    if missing():
        pytest.skip(missing())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = CHAPTER.read_text(encoding="utf-8").split("<!-- tests/run/ssh/test_devices_chapter.py")[1]
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if " check " not in block]
    assert len(blocks) == 3
    # Port 2222 may be taken; what is kept of this user's is not this test's to remove.
    script = "".join(blocks).replace("2222", str(port)).replace("/usr/sbin/sshd", str(SSHD))
    script = script.replace("StrictModes no", f"StrictModes no\nSetEnv HOME={tmp_path}/home")
    wrapper = tmp_path / "bin" / "ssh"  # ssh itself does not look at $HOME
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F "$HOME/.ssh/config" "$@"\n')
    wrapper.chmod(0o755)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    path = f"{wrapper.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"HOME": str(tmp_path), "PATH": path}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "loopback as desktop" in done.stdout
    assert "nothing that EdgeGAP put there is left" in done.stdout
