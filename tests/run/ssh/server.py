"""The server's side: sshd with keys, a configuration and a home folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
USER = pwd.getpwuid(os.getuid()).pw_name

SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {keys}/host
AuthorizedKeysFile {keys}/user.pub
StrictModes no
UsePAM no
PidFile none
LogLevel VERBOSE
SetEnv {environment}
{extra}
"""
CLIENT = """\
Host *
  HostName 127.0.0.1
  Port {port}
  IdentityFile {keys}/user
  IdentitiesOnly yes
  IdentityAgent none
  GlobalKnownHostsFile none
  UserKnownHostsFile {known_hosts}
"""

PYTHON = f"""#!{sys.executable}
import sys
CHANGE
sys.argv = ["-c", *sys.argv[4:]]
exec(CODE)
"""


def missing() -> str:
    """Why no server can run here; '' if one can."""
    if sys.platform != "linux":
        return "sshd runs for these tests on Linux only"
    tools = {"sshd": "openssh-server", "ssh": "openssh-client", "ssh-keygen": "openssh-client"}
    for tool, package in tools.items():
        if not (SSHD if tool == "sshd" else shutil.which(tool)):
            return f"there is no {tool}: apt install {package}"
    return ""


def make_keys(folder: Path) -> None:
    """A host's and a user's key, and the line of known_hosts but for the port."""
    for name in ("host", "user", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)


class Board:
    """A server on a free port, and an `ssh` that finds it under any name.

    Args:
        folder: for its files.
        keys: from `make_keys`.
        home: of its sessions.
        known: whether the client knows the host's key.
        extra: lines for sshd_config.
        path: folders to put first on the PATH of its sessions.
        environment: further variables of its sessions.
    """

    def __init__(
        self,
        folder: Path,
        keys: Path,
        home: Path,
        *,
        known: bool = True,
        extra: str = "",
        path: str = "",
        environment: dict[str, str] | None = None,
    ) -> None:
        self.home, self.client, self.log = home, folder / "client", folder / "sshd.log"
        self.cache = home / ".cache" / "edgegap" / "device"
        self.config = folder / "sshd_config"
        for made in (home, self.client):
            made.mkdir(parents=True, exist_ok=True)
        (folder / "bin").mkdir()
        (folder / "bin" / "python3").symlink_to(sys._base_executable)  # type: ignore[attr-defined]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        variables = {"HOME": str(home), "PATH": path or f"{folder}/bin:/usr/bin:/bin"}
        variables |= {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
        variables |= environment or {}
        quoted = " ".join(f'"{key}={value}"' for key, value in variables.items())
        self.config.write_text(SERVER.format(port=self.port, keys=keys, environment=quoted, extra=extra))
        self.known_hosts, self.ssh_config = folder / "known_hosts", folder / "ssh_config"
        host_key = (keys / "host.pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host_key}" if known else "")
        self.ssh_config.write_text(CLIENT.format(port=self.port, keys=keys, known_hosts=self.known_hosts))
        wrapper = self.client / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.ssh_config} "$@"\n')
        wrapper.chmod(0o755)
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own demand
        command = [str(SSHD), "-D", "-e", "-f", str(self.config)]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        """Kill the server and its side of every connection, as if the power was cut; sessions' commands stay."""
        doomed = [self.process.pid, *self.sessions()]
        for pid in doomed:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def sessions(self) -> list[int]:
        """The server's processes, one or two for each connection."""
        return [pid for pid in descendants(self.process.pid) if name_of(pid).startswith("sshd")]

    def stop(self) -> None:
        """End the server and all its sessions."""
        for pid in [*descendants(self.process.pid), self.process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()

    def running(self) -> list[int]:
        """Processes that use this board's home folder, wherever they belong now."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and f"HOME={self.home}\0".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return [pid for pid in found if not name_of(pid).startswith("sshd")]

    def wait_until_idle(self) -> None:
        """Return when nothing runs there any more; fail if something goes on."""
        for _ in range(200):
            if not self.running():
                return
            time.sleep(0.05)
        raise AssertionError(f"still running: {[name_of(pid) for pid in self.running()]}")


def name_of(pid: int) -> str:
    """The command of a process; '' if it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    """Children, their children and so on."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def fake_python(folder: Path, change: str) -> str:
    """A PATH whose python3 is this one after a change; `-I -c CODE ARGUMENTS` is all it knows."""
    folder.mkdir()
    script = folder / "python3"
    script.write_text(PYTHON.replace("CHANGE", f"CODE = sys.argv[3]\n{change}"))
    script.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"
