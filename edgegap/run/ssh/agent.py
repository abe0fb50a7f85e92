"""What EdgeGAP does on a device: `python3 -I -c '...'` reads this file from stdin, and then a request, one JSON line.

It needs Python 3.10 and nothing else, and keeps everything under ~/.cache/edgegap/device:

- `environments/<hash>/`: a virtual environment with one runtime
- `files/<sha256>`: what was uploaded
- `jobs/<key>/`: job.json, its scripts and what they write, until the host has it

Answers are lines on stdout, `{"agent": kind, ...}`; a runner's own events pass between them as they are:

- `facts`: what `probe` found
- `stage`: text, what is being done
- `need`: sha256s of files that are not here; the host then writes each one's bytes to stdin, in this order
- `exit`: returncode and stderr of the runner
- `file`: name and size; its bytes follow
- `sent`: all files are out; the host writes RECEIVED when it has them
- `refused`: kind ('disk', 'upload', 'environment', 'venv', 'numpy', 'pip', 'import'), message, where: it cannot be done
- `end`: it is done

The host's silence ends it: when stdin closes or nothing comes for a minute, nothing of it is left running.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path.home() / ".cache" / "edgegap" / "device"  # beside what EdgeGAP keeps where it is itself installed
RECEIVED = b"+"
SILENCE = 60.0
KEPT_SECONDS = 30 * 24 * 3600
MARGIN = 1 << 24  # what a disk must have beyond an upload, for job folders
PIP = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--retries=2"]

Request = dict[str, Any]


class Refused(Exception):  # noqa: N818  # the protocol's word
    """What cannot be done here: becomes the `refused` line."""

    def __init__(self, kind: str, message: str, where: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.where = where


def say(line: str, /, **facts: Any) -> None:
    """Write one line."""
    sys.stdout.buffer.write(json.dumps({"agent": line, **facts}).encode() + b"\n")
    sys.stdout.buffer.flush()


def die() -> NoReturn:
    """End this process and all that it started, at once."""
    os.killpg(0, signal.SIGKILL)
    raise AssertionError


def watch(received: threading.Event) -> None:
    """Read stdin to its end, and then die."""
    while select.select([0], [], [], SILENCE)[0] and (piece := os.read(0, 4096)):
        if RECEIVED in piece:
            received.set()
    die()


def digest(path: Path) -> str:
    """Hash of a file, in hexadecimal, read in pieces."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the others wait. The system lets go of the lock when its process dies."""
    with open(path.with_name(path.name + ".lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("stage", text=f"waiting for another EdgeGAP ({path.parent.name} there)")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def receive(files: dict[str, int]) -> None:
    """Ask the host for those files (sizes by their sha256) that are not here, and keep them."""
    folder = ROOT / "files"
    missing = []
    for name, size in files.items():
        path = folder / name
        if path.is_file() and path.stat().st_size == size:
            os.utime(path)
        else:
            missing.append(name)
    needed, free = sum(files[name] for name in missing) + MARGIN, shutil.disk_usage(folder).free
    if missing and needed > free:
        raise Refused(
            "disk", f"no room for the upload: {needed >> 20} MiB are needed, {free >> 20} are free", str(ROOT)
        )
    say("need", files=missing)
    for name in missing:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".partial-", delete=False) as partial:
            try:
                left = files[name]
                while left:
                    piece = sys.stdin.buffer.read(min(left, 1 << 20))
                    if not piece:
                        die()  # the host is gone
                    partial.write(piece)
                    left -= len(piece)
                partial.flush()
                if digest(Path(partial.name)) != name:
                    raise Refused("upload", "a file arrived as another one than was sent")
                os.replace(partial.name, folder / name)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(partial.name)


def tidy() -> None:
    """Remove what nobody has used for a month: old environments, uploads, and jobs that were cut off for good."""
    oldest = time.time() - KEPT_SECONDS
    for path in ROOT.glob("*/*"):
        with contextlib.suppress(OSError):  # another process may be tidying too
            if path.lstat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def first_line(path: str, key: str) -> str:
    """The value of the first `key : value` or `key=value` line of a file; '' where there is none."""
    with contextlib.suppress(OSError):
        for line in Path(path).read_text(errors="replace").splitlines():
            name, _, value = line.replace("=", ":", 1).partition(":")
            if name.strip() == key:
                return value.strip().strip('"')
    return ""


def probe(request: Request) -> None:
    """Say what this device is and has."""
    free = next(folder for folder in [ROOT, *ROOT.parents] if folder.is_dir())
    libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else None
    environments = ROOT / "environments"
    say(
        "facts",
        python=platform.python_version(),
        executable=sys.executable,
        venv=importlib.util.find_spec("ensurepip") is not None,
        numpy=importlib.util.find_spec("numpy") is not None,
        system=first_line("/etc/os-release", "PRETTY_NAME") or platform.platform(),
        machine=platform.machine(),
        glibc=libc.split()[-1] if libc else None,
        cpu=first_line("/proc/cpuinfo", "model name"),
        model=first_line("/proc/cpuinfo", "Model"),
        features=(first_line("/proc/cpuinfo", "Features") or first_line("/proc/cpuinfo", "flags")).split(),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=int(first_line("/proc/meminfo", "MemTotal").split()[0]) >> 10,
        free_mib=shutil.disk_usage(free).free >> 20,
        root=str(ROOT),
        writable=os.access(free, os.W_OK),
        environments=sorted(path.name for path in environments.iterdir()) if environments.is_dir() else [],
    )


def call(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603  # the callers' own


def pip(environment: Path, arguments: list[str]) -> None:
    """Run the environment's pip."""
    command = [str(environment / "bin" / "python"), "-m", "pip", *PIP, *arguments]
    done = call(command)
    if done.returncode:
        said = done.stderr or done.stdout
        kind = "disk" if "No space left on device" in said else "pip"
        raise Refused(kind, said.strip()[-4000:], str(environment.parent))


def environment(request: Request) -> None:
    """Make a virtual environment, unless it is here: whole or not at all."""
    folder = ROOT / "environments" / request["environment"]
    with locked(folder):
        if (folder / "bin" / "python").exists():
            return
        receive(request["files"])
        threading.Thread(target=watch, args=[threading.Event()], daemon=True).start()
        if importlib.util.find_spec("ensurepip") is None:
            raise Refused("venv", "its Python cannot make virtual environments")
        staging = folder.with_suffix(".partial")
        shutil.rmtree(staging, ignore_errors=True)
        try:
            build(staging, request)
            shutil.rmtree(folder, ignore_errors=True)  # its Python is gone: the system's was replaced
            staging.rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def build(staging: Path, request: Request) -> None:
    """Fill the folder of an environment, and try it."""
    say("stage", text=f"making an environment for {request['runtime']}")
    system = ["--system-site-packages"] if request["system_packages"] else []
    command = [sys.executable, "-I", "-m", "venv", *system, str(staging)]
    done = call(command)
    if done.returncode:
        said = done.stdout + done.stderr
        raise Refused("disk" if "No space left" in said else "venv", said.strip()[-1000:], str(staging.parent))
    say("stage", text=f"installing {request['runtime']}")
    arguments = ["--only-binary=:all:", *request["requirements"]]
    if request["wheels"] is not None:
        wheels = staging / "wheels"
        wheels.mkdir()
        for name, sha256 in request["wheels"].items():
            (wheels / name).symlink_to(ROOT / "files" / sha256)
        arguments = ["--no-index", "--find-links", str(wheels), *arguments]
    pip(staging, arguments)
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    command = [str(staging / "bin" / "python"), "-I", "-c", code, *request["modules"]]
    done = call(command)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"its import ended with {done.returncode}"])[-1]
        raise Refused("numpy" if "No module named 'numpy'" in last else "import", last)


def run(request: Request) -> None:
    """Run a job in its folder, hand over what it wrote, and remove the folder."""
    python = ROOT / "environments" / request["environment"] / "bin" / "python"
    if not python.exists():
        raise Refused("environment", "there is no such environment")
    os.utime(python.parent.parent)
    tidy()
    folder = ROOT / "jobs" / request["key"]
    receive(request["files"])
    received = threading.Event()
    threading.Thread(target=watch, args=[received], daemon=True).start()
    with locked(folder):
        folder.mkdir(exist_ok=True)
        os.utime(folder)
        for name, text in request["texts"].items():
            (folder / name).write_text(text, encoding="utf-8")
        if not spawn([str(python), "-I", str(folder / request["script"]), str(folder / "job.json")], folder):
            for name in request["files"]:  # the runner refused it if it was altered here: the next upload mends it
                path = ROOT / "files" / name
                if path.exists() and digest(path) != name:
                    path.unlink()
            return
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.name not in {*request["texts"], "done.txt"}:
                say("file", name=path.name, size=path.stat().st_size)
                with open(path, "rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
        say("sent")
        received.wait()
        shutil.rmtree(folder)


def spawn(command: list[str], folder: Path) -> bool:
    """Run a runner and pass its events on; says how it ended, and gives whether it was well."""
    with tempfile.TemporaryFile(dir=folder) as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)  # noqa: S603  # an environment's Python and the host's script
        for line in process.stdout or ():
            if line.endswith(b"\n"):  # a killed runner may leave half a line
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()
        returncode = process.wait()
        errors.seek(0)
        say("exit", returncode=returncode, stderr=errors.read()[-10_000:].decode(errors="replace"))
    return returncode == 0


def purge(request: Request) -> None:
    """Remove everything that was put here."""
    if ROOT.exists():
        shutil.rmtree(ROOT)
        with contextlib.suppress(OSError):  # EdgeGAP is installed here too
            ROOT.parent.rmdir()


def main() -> None:
    """Answer the request on stdin."""
    with contextlib.suppress(PermissionError):  # it leads a session, and so a group, already
        os.setpgid(0, 0)
    request = json.loads(sys.stdin.buffer.readline())
    command = {"probe": probe, "environment": environment, "run": run, "purge": purge}[request["command"]]
    try:
        if command in (environment, run):
            for name in ("environments", "files", "jobs"):
                (ROOT / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            ROOT.chmod(0o700)
        command(request)
    except Refused as error:
        say("refused", kind=error.kind, message=str(error), where=error.where)
    except BrokenPipeError:  # the host is gone
        die()
    except OSError as error:
        say("refused", kind="disk", message=error.strerror or str(error), where=error.filename or str(ROOT))
    else:
        say("end")


if __name__ == "__main__":
    main()
