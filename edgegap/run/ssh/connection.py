"""Requests to the agent on a device, each in one session of one multiplexed ssh connection."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from edgegap.disk import disk_errors
from edgegap.errors import DeviceError
from edgegap.progress import Progress, silent
from edgegap.run.events import MAKE_ROOM, Event, OnEvent, follow
from edgegap.run.ssh.faults import ConnectionLost, fault

AGENT = Path(__file__).with_name("agent.py")
_BOOT = (  # one line without '!', which every login shell passes on; also valid in the Pythons that it turns away
    "import sys; sys.version_info >= (3, 10) or sys.exit('edgegap: Python %d.%d' % sys.version_info[:2]); "
    "exec(compile(sys.stdin.buffer.read(int(sys.argv[1])), 'agent.py', 'exec'))"
)
_OPTIONS = {
    "BatchMode": "yes",  # nobody is there to be asked
    "StrictHostKeyChecking": "yes",  # whatever the user's configuration says
    "ConnectTimeout": "10",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "ControlMaster": "auto",
    "ControlPersist": "60",
    "ClearAllForwardings": "yes",  # a second connection could not bind those of the user's configuration again
}
_ALIVE_SECONDS = 5.0
_ALIVE, _RECEIVED = b".", b"+"


@dataclass
class Answer:
    """What came back.

    Attributes:
        events: the last of each kind that a runner sent, by its name.
        lines: the last of each kind that the agent sent, by its name (agent.py lists them).
    """

    events: dict[str, Event] = field(default_factory=dict)
    lines: dict[str, dict[str, Any]] = field(default_factory=dict)


class Connection:
    """An ssh connection that is made when it is first needed and again when it was lost.

    Args:
        host: checked by `checked_host`.
        progress: told what the device is doing, and how much is uploaded.
    """

    def __init__(self, host: str, progress: Progress = silent) -> None:
        self.host = host
        self._progress = progress
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        # A socket's path has about 100 bytes, of which ssh takes 17 for itself, and TMPDIR may be long.
        with disk_errors("/tmp", "Make room there."):  # noqa: S108  # mkdtemp makes a private folder
            folder = tempfile.mkdtemp(prefix="edgegap-", dir="/tmp")
        options = _OPTIONS | {"ControlPath": f"{folder}/ssh"}
        self._ssh = ["ssh", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
        self.close = weakref.finalize(self, _close, self._ssh, host, folder)

    def ask(
        self,
        request: dict[str, Any],
        *,
        files: Mapping[str, Path] | None = None,
        folder: Path | None = None,
        on_event: OnEvent | None = None,
    ) -> Answer:
        """Send a request and wait for its end.

        Args:
            request: its `command` and what that needs (agent.py).
            files: what the agent may ask for, by sha256.
            folder: where files that it sends are written.
            on_event: called with each event of a runner.

        Raises:
            ConnectionLost: it could not be made, or broke off.
            DeviceError: the device cannot run the agent, or `stop` was called.
            DiskError: no room in `folder`.
        """
        agent = AGENT.read_bytes()
        remote = shlex.join(["python3", "-I", "-c", _BOOT, str(len(agent))])
        with disk_errors(tempfile.gettempdir(), MAKE_ROOM):
            errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed below)
        finished = threading.Event()
        with errors, self._start(remote, errors) as process:
            session = _Session(process, finished, files or {}, folder, self._progress, self.host)
            try:
                session.write(agent, json.dumps(request).encode() + b"\n")
                events = follow(session.lines(), on_event)
                session.close()
                returncode = process.wait()
            finally:
                finished.set()
                process.kill()
            errors.seek(0)
            said = errors.read().decode(errors="replace")
        if self._stopped.is_set():
            raise DeviceError("stopped", where=self.host)
        if not {"end", "refused"} & session.seen.keys():
            raise fault(self.host, returncode, said)
        return Answer(events, session.seen)

    def wait(self, seconds: float) -> None:
        """Wait, unless `stop` is called.

        Raises:
            DeviceError: it was.
        """
        if self._stopped.wait(seconds):
            raise DeviceError("stopped", where=self.host)

    def stop(self) -> None:
        """End the running request and with it what runs on the device, and refuse further ones."""
        with self._lock:
            self._stopped.set()
            if self._process is not None:
                self._process.kill()

    def _start(self, remote: str, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        with self._lock:
            self.wait(0)
            try:
                self._process = subprocess.Popen(  # noqa: S603  (a list: no shell here; the host's name was checked)
                    [*self._ssh, "--", self.host, remote],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,  # Ctrl-C in the terminal reaches EdgeGAP alone, which then ends it
                )
            except OSError as error:
                hint = "Install OpenSSH's client: apt install openssh-client"
                raise DeviceError(f"ssh cannot be started: {error.strerror}", where=self.host, hint=hint) from error
            return self._process


def _close(ssh: list[str], host: str, folder: str) -> None:
    """End the connection that ssh keeps, and remove its socket."""
    with contextlib.suppress(OSError):
        subprocess.run([*ssh, "-O", "exit", "--", host], capture_output=True, stdin=subprocess.DEVNULL, check=False)  # noqa: S603  # as above
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Session:
    """Both ends of one running ssh."""

    process: subprocess.Popen[bytes]
    finished: threading.Event
    files: Mapping[str, Path]
    folder: Path | None
    progress: Progress
    host: str
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self, *pieces: bytes) -> None:
        """To the device; one that is gone is noticed by who reads."""
        stdin = self.process.stdin
        with contextlib.suppress(BrokenPipeError, ValueError):
            for piece in pieces:
                stdin.write(piece)  # type: ignore[union-attr]  # it is a pipe
            stdin.flush()  # type: ignore[union-attr]

    def close(self) -> None:
        """No more is written."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()  # type: ignore[union-attr]

    def lines(self) -> Iterator[str]:
        """The runner's lines; the agent's own are answered here."""
        stdout = self.process.stdout
        for raw in stdout or ():
            line = raw.decode(errors="replace")
            if not line.startswith('{"agent": '):
                yield line
            elif line.endswith("\n"):
                entry = json.loads(line)
                self.seen[entry["agent"]] = entry
                self._answer(entry)

    def _answer(self, entry: dict[str, Any]) -> None:
        match entry["agent"]:
            case "need":
                self._upload([self.files[name] for name in entry["files"]])
                threading.Thread(target=self._keep_alive, daemon=True).start()
            case "stage":
                self.progress(f"{self.host}: {entry['text']}", 0, None)
            case "file":
                self._receive(entry["name"], entry["size"])
            case "sent":
                self.write(_RECEIVED)

    def _keep_alive(self) -> None:
        while not self.finished.wait(_ALIVE_SECONDS):
            self.write(_ALIVE)

    def _upload(self, paths: list[Path]) -> None:
        total, sent = sum(path.stat().st_size for path in paths), 0
        for path in paths:
            with disk_errors(path, "Was it removed?"), open(path, "rb") as file:
                while piece := file.read(1 << 18):
                    self.write(piece)
                    sent += len(piece)
                    self.progress(f"{self.host}: uploading KiB", sent >> 10, total >> 10)

    def _receive(self, name: str, size: int) -> None:
        """One file from the device, which is not trusted with its name."""
        if self.folder is None or Path(name).name != name:
            raise DeviceError(f"it sends a file that nobody asked for: {name!r}", where=self.host)
        left = size
        with disk_errors(self.folder, MAKE_ROOM), open(self.folder / name, "wb") as file:
            while left:
                piece = self.process.stdout.read(min(left, 1 << 20))  # type: ignore[union-attr]  # it is a pipe
                if not piece:
                    raise ConnectionLost("the connection broke off", where=self.host)
                file.write(piece)
                left -= len(piece)
