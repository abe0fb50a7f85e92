"""Instructions per inference on an emulated board: they repeat, where time means nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from statistics import median

from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import DeviceError
from edgegap.progress import Progress
from edgegap.run import counter, runner
from edgegap.run.device import Task
from edgegap.run.emulate.commands import run
from edgegap.run.emulate.emulation import Emulation
from edgegap.run.emulate.parts import Part, make_all
from edgegap.run.events import MAKE_ROOM, OnEvent
from edgegap.run.local import Local
from edgegap.run.target import Target

SCRIPTS = (Path(counter.__file__), Path(runner.__file__))


@dataclass(frozen=True)
class Counts:
    """Instructions of one inference, by one thread; the call from Python, a few ten thousand, is part of it.

    Args:
        total: all of them.
        mac: multiply-accumulates of vectors and fused ones of scalars; None on machines other than AArch64.
        memory: loads and stores; likewise.
    """

    total: int
    mac: int | None
    memory: int | None


def count_instructions(target: Target, artifact: Path, runtime: str, on_event: OnEvent | None = None) -> Counts:
    """Count the instructions of an inference: the median of three, after three to warm up.

    Another call gives the same multiply-accumulates, and totals within 0.1 % for LiteRT and 0.3 % for ONNX Runtime.

    Args:
        target: with an emulator that is set up.
        artifact: an .onnx or .tflite file with one input.
        runtime: as pip names it.
        on_event: called with each event of counter.py.

    Raises:
        SettingsError: the target has no emulator.
        DeviceError: the emulator is not set up, or there is no gcc; and its kinds, where the artifact cannot be run.
    """
    emulation = Emulation(target)
    plugin = _plugin()
    record = {"threads": 1, "tensors": [], "batch": None, "optimized": False}
    task = Task(SCRIPTS, {"artifact": artifact}, runtime, record)
    with disk_errors(artifact, MAKE_ROOM), passing_folder() as folder:
        out = folder / "counts.jsonl"

        def counting(name: str) -> Sequence[str]:
            argument, value = (str(path).replace(",", ",,") for path in (plugin, out))  # as QEMU has commas quoted
            return emulation.python(name, "-plugin", f"{argument},out={value}")

        place = f"emulated {target.name}"
        Local(target=target.name, place=place, python=counting).execute(task, folder, on_event)
        lines = [json.loads(line) for line in out.read_text(encoding="ascii").splitlines()]
    if [line["mark"] for line in lines] != list(range(2 + counter.RUNS)):
        raise DeviceError("the instructions were not counted: marks are missing", where=place)
    _, empty, *inferences = lines

    def one(kind: str) -> int:
        return int(median(line[kind] - empty[kind] for line in inferences))

    split = empty["mac"] is not None
    return Counts(one("total"), one("mac") if split else None, one("memory") if split else None)


def _plugin() -> Path:
    """The compiled plugin, in the emulator's cache."""
    source = files(__package__).joinpath("icount.c").read_text(encoding="utf-8")

    def make(folder: Path, progress: Progress) -> None:
        progress("the plugin that counts instructions", 0, None)
        if not shutil.which("gcc"):
            hint = "Install it (on Debian: gcc and libc6-dev); everything else works without."
            raise DeviceError("counting instructions needs a C compiler, and there is no gcc", hint=hint)
        text = folder / "icount.c"
        text.write_text(source, encoding="utf-8")
        flags = ["-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"]
        run("compile icount.c", ["gcc", *flags, "-o", str(folder / "icount.so"), str(text)])

    part = Part("icount", (source,), make)
    if not part.folder.is_dir():
        make_all([part])
    return part.folder / "icount.so"
