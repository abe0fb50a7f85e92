"""What to run, and what came of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgegap.disk import disk_errors, passing_folder
from edgegap.errors import DeviceError
from edgegap.run.device import Device, Task
from edgegap.run.events import MAKE_ROOM, Event, OnEvent
from edgegap.run.runner import sha256

RUNNER = Path(__file__).with_name("runner.py")
Runtime = Literal["onnxruntime", "ai-edge-litert", "tflite-runtime"]


@dataclass(frozen=True)
class Job:
    """One artifact, one runtime, many images.

    Args:
        artifact: an .onnx (NCHW) or .tflite (NHWC) file with one image input.
        runtime: what to run it in, named as pip names it.
        inputs: a .npy file: uint8 pixels [n, H, W, C] with a table, or values [n, C, H, W] in the artifact's own dtype
            without one.
        table: [C, 256], float32, uint8 or int8, the artifact's dtype: value = table[channel][pixel].
        threads: for the runtime's kernels.
        tensors: further tensors to fetch by name. In ONNX they must be outputs of the graph.
        batch: images per run where the artifact leaves it open (1 if None); a fixed batch is the artifact's own.
        optimized: also bring back the model as ONNX Runtime optimized it.
    """

    artifact: Path
    runtime: Runtime
    inputs: Path
    table: npt.NDArray[Any] | None = None
    threads: int = 1
    tensors: tuple[str, ...] = ()
    batch: int | None = None
    optimized: bool = False

    def task(self) -> Task:
        """The same as files for a device."""
        table = None if self.table is None else {"dtype": self.table.dtype.name, "values": self.table.tolist()}
        record = {
            "table": table,
            "threads": self.threads,
            "tensors": list(self.tensors),
            "batch": self.batch,
            "optimized": self.optimized,
        }
        return Task((RUNNER,), {"artifact": self.artifact, "inputs": self.inputs}, self.runtime, record)


@dataclass(frozen=True)
class Result:
    """What a job gave.

    Attributes:
        outputs: [n, ...], the artifact's first output, in its dtype.
        tensors: the job's tensors [n, ...] by name, in the layout that the runtime has them in (LiteRT: NHWC).
        runtime: name of the runtime.
        version: its version.
        machine: the processor's architecture, such as 'x86_64' or 'aarch64'.
        threads: those it ran with.
        session: options that were set for this machine: key, value and why.
        undelegated: in LiteRT, the operators that XNNPACK did not take: op_name and index. Tensors, when the job asks
            for any, are kept by delegating each operator for itself.
        optimized: ONNX Runtime's optimized model, if the job asked for it.
        load_ms: time to load the artifact, the runtime's import included, milliseconds.
        seconds_per_image: median over the batches; the run alone.
    """

    outputs: npt.NDArray[Any]
    tensors: dict[str, npt.NDArray[Any]]
    runtime: str
    version: str
    machine: str
    threads: int
    session: list[dict[str, str]]
    undelegated: list[dict[str, Any]]
    optimized: bytes | None
    load_ms: float
    seconds_per_image: float


def run_job(job: Job, device: Device, on_event: OnEvent | None = None, *, folder: Path | None = None) -> Result:
    """Run a job and read what it gave.

    Args:
        job: what to run.
        device: where.
        on_event: called with each event as it comes (their fields: the docstring of runner.py).
        folder: keeps its files, in a folder named after its key: the same job goes on where an earlier call was cut
            off, and is not run at all where that was done. They pass away if None.

    Raises:
        InputError: a file cannot be read; images, table, batch or tensors do not fit the artifact.
        RuntimeFailure: the runtime is missing, refused the artifact, or died.
        DiskError: no room or no permission.
        DeviceError: a file changed while the job ran, or the device is gone.
    """
    task = job.task()
    if folder is None:
        with ExitStack() as stack:
            with disk_errors(tempfile.gettempdir(), MAKE_ROOM):
                passing = stack.enter_context(passing_folder())
            return _result(device.execute(task, passing, on_event), passing)
    own = folder / task.key()[:16]
    done = own / "events.json"
    with disk_errors(own, MAKE_ROOM):
        try:
            return _result(json.loads(done.read_text(encoding="utf-8")), own)
        except FileNotFoundError:
            own.mkdir(parents=True, exist_ok=True)
        except (ValueError, KeyError, DeviceError):  # altered since: begin anew
            shutil.rmtree(own)
            own.mkdir()
    events = device.execute(task, own, on_event)
    result = _result(events, own)
    with disk_errors(own, MAKE_ROOM):
        done.write_text(json.dumps(events), encoding="utf-8")
    return result


def _result(events: dict[str, Event], folder: Path) -> Result:
    """What `done` announced, from the files in `folder`."""
    ready, done = events["ready"], events["done"]
    arrays = {}
    for entry in done["files"]:
        path = folder / entry["file"]
        if sha256(path) != entry["sha256"]:
            raise DeviceError("differs from what the runner wrote", where=str(path), hint="Run the job again.")
        arrays[entry["name"]] = np.fromfile(path, dtype=entry["dtype"]).reshape(entry["shape"])
    return Result(
        outputs=arrays.pop(""),
        tensors=arrays,
        runtime=ready["runtime"],
        version=ready["version"],
        machine=ready["machine"],
        threads=ready["threads"],
        session=ready["session"],
        undelegated=ready["undelegated"],
        optimized=(folder / done["optimized"]).read_bytes() if done["optimized"] else None,
        load_ms=ready["load_ms"],
        seconds_per_image=done["seconds_per_image"],
    )
