"""Runs one job where the artifact is meant to run: `python -I runner.py job.json`, events as JSON lines on stdout.

This file travels alone. It needs Python 3.10, NumPy and the one runtime that the job names, and imports nothing of
edgegap. Every array it computes goes into a raw file beside job.json; the last event says what is in them. A run that
was cut off left done.txt there, the number of images that are in the files: the same job goes on behind them.

Events, one object a line, told apart by `event`:

- `ready`: runtime, version, machine, threads, session (options set, and why), inputs, outputs, undelegated, load_ms
- `progress`: done, total (images); `done` images are in the files when it is sent, and done.txt says so too
- `done`: files (name, file, shape, dtype, sha256), optimized (a file's name or null), seconds_per_image (median)
- `error`: kind ('hash', 'import', 'load', 'input', 'run', 'memory', 'disk'), message, where (null: the artifact)
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

PROGRESS_SECONDS = 0.1
OPTIMIZED = "optimized.onnx"
DONE = "done.txt"

Batch = dict[str, np.ndarray]  # what one run gives: the output under the key "", each tensor under its name


class RunnerError(Exception):
    """A failure with a name: becomes the `error` event. `where` is a file, None the artifact."""

    def __init__(self, kind: str, message: str, where: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.where = where


class Runtime(Protocol):
    """What the runner needs of a runtime; the constructor imports it and raises what its import raises."""

    version: str
    channels_last: bool

    def load(self, artifact: Path, job: dict[str, Any], folder: Path) -> None:
        """Load the artifact for batches of `input()['shape'][0]` images."""

    def input(self) -> dict[str, Any]:
        """Name, shape and dtype of the artifact's one input."""

    def facts(self) -> dict[str, Any]:
        """What the `ready` event says of this session."""

    def run(self, values: np.ndarray) -> Batch:
        """Run one batch."""


class _OnnxRuntime:
    """ONNX Runtime on the CPU. A dynamic batch becomes the job's."""

    channels_last = False

    def __init__(self) -> None:
        # Official builds report to Microsoft from the import on and leave a device id behind: not from a user's board.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        self.module = importlib.import_module("onnxruntime")
        self.version: str = self.module.__version__

    def load(self, artifact: Path, job: dict[str, Any], folder: Path) -> None:
        options = self.module.SessionOptions()
        options.intra_op_num_threads = job["threads"]
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.options = exact_options(job["activation"])
        for option in self.options:
            options.add_session_config_entry(option["key"], option["value"])
        if job["optimized"]:
            options.optimized_model_filepath = str(folder / OPTIMIZED)
        self.session = self.module.InferenceSession(str(artifact), options, providers=["CPUExecutionProvider"])
        self.batch: int | None = job["batch"]
        self.outputs = self.session.get_outputs()
        missing = set(job["tensors"]) - {output.name for output in self.outputs}
        if missing:
            raise RunnerError("input", f"these are not outputs of it: {', '.join(sorted(missing))}")
        self.name = only(self.session.get_inputs()).name
        self.wanted = [self.outputs[0].name, *job["tensors"]]

    def input(self) -> dict[str, Any]:
        entry = only(self.session.get_inputs())
        shape = list(entry.shape)
        if shape and not isinstance(shape[0], int):
            shape[0] = self.batch or 1
        return {"name": entry.name, "shape": shape, "dtype": onnx_dtype(entry.type)}

    def facts(self) -> dict[str, Any]:
        outputs = [{"name": o.name, "shape": list(o.shape), "dtype": onnx_dtype(o.type)} for o in self.outputs]
        return {"session": self.options, "outputs": outputs, "undelegated": []}

    def run(self, values: np.ndarray) -> Batch:
        arrays = self.session.run(self.wanted, {self.name: values})
        return dict(zip(["", *self.wanted[1:]], arrays, strict=True))


class _LiteRT:
    """LiteRT with the delegate it applies by default. Tensors come in the layout that the runtime has them in."""

    channels_last = True
    package = "ai-edge-litert"

    def __init__(self) -> None:
        self.module = importlib.import_module(f"{self.package.replace('-', '_')}.interpreter")
        self.version = importlib.metadata.version(self.package)

    def load(self, artifact: Path, job: dict[str, Any], folder: Path) -> None:
        if job["optimized"]:
            raise RunnerError("input", "only ONNX Runtime can save the model it optimized")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # keeping all tensors warns that it is for debugging, which this is
            self.interpreter = self.module.Interpreter(
                model_path=str(artifact),
                num_threads=job["threads"],
                experimental_preserve_all_tensors=bool(job["tensors"]),
            )
        entry = only(self.interpreter.get_input_details())
        signature = [int(size) for size in entry["shape_signature"]]
        if -1 in signature[1:]:
            raise RunnerError("input", f"its input leaves sizes open: {signature}; only the batch may be")
        if signature and signature[0] == -1:
            self.interpreter.resize_tensor_input(entry["index"], [job["batch"] or 1, *entry["shape"][1:]])
        self.interpreter.allocate_tensors()
        self.index = entry["index"]
        self.output = self.interpreter.get_output_details()[0]
        found: dict[str, list[int]] = {}
        for tensor in self.interpreter.get_tensor_details():
            found.setdefault(tensor["name"], []).append(tensor["index"])
        for name in job["tensors"]:
            if len(found.get(name, [])) != 1:
                raise RunnerError("input", f"{len(found.get(name, []))} of its tensors are named '{name}'")
        self.wanted = {"": self.output["index"], **{name: found[name][0] for name in job["tensors"]}}

    def input(self) -> dict[str, Any]:
        return tflite_facts(self.interpreter.get_input_details()[0])

    def facts(self) -> dict[str, Any]:
        outputs = [tflite_facts(details) for details in self.interpreter.get_output_details()]
        undelegated = undelegated_ops(self.interpreter._get_ops_details())
        return {"session": [], "outputs": outputs, "undelegated": undelegated}

    def run(self, values: np.ndarray) -> Batch:
        self.interpreter.set_tensor(self.index, values)
        self.interpreter.invoke()
        return {name: self.interpreter.get_tensor(index) for name, index in self.wanted.items()}


class _TfliteRuntime(_LiteRT):
    """LiteRT's predecessor: the same interface, in a package of its own. Its int8 kernels are the built-in ones."""

    package = "tflite-runtime"


RUNTIMES: dict[str, type[Runtime]] = {
    "onnxruntime": _OnnxRuntime,
    "ai-edge-litert": _LiteRT,
    "tflite-runtime": _TfliteRuntime,
}


def only(inputs: list[Any]) -> Any:
    """The one input of an artifact."""
    if len(inputs) != 1:
        raise RunnerError("input", f"it has {len(inputs)} inputs, not one")
    return inputs[0]


def onnx_dtype(text: str) -> str:
    """'tensor(float)' -> 'float32': ONNX Runtime's name of a type in NumPy's words."""
    name = text[len("tensor(") : -1]
    return {"float": "float32", "double": "float64"}.get(name, name)


def tflite_facts(details: dict[str, Any]) -> dict[str, Any]:
    """Name, shape and dtype of a tensor as LiteRT describes it."""
    shape = [int(size) for size in details["shape"]]
    return {"name": details["name"], "shape": shape, "dtype": np.dtype(details["dtype"]).name}


def undelegated_ops(ops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The operators that no delegate took: [{op_name, index}], from `_get_ops_details()` after allocate_tensors.

    That list holds the file's operators and then one DELEGATE per partition, with the partition's outer inputs
    (constants too) and outer outputs. Whatever lies between them, walking back from the outputs, is delegated.
    """
    producer = {int(out): op for op in ops if op["op_name"] != "DELEGATE" for out in op["outputs"]}
    taken: set[int] = set()
    for partition in (op for op in ops if op["op_name"] == "DELEGATE"):
        outer = {int(tensor) for tensor in partition["inputs"]}
        waiting = [int(tensor) for tensor in partition["outputs"]]
        while waiting:
            tensor = waiting.pop()
            op = producer.get(tensor)
            if op is not None and tensor not in outer and op["index"] not in taken:
                taken.add(op["index"])
                waiting.extend(int(source) for source in op["inputs"])
    left = (op for op in ops if op["op_name"] != "DELEGATE" and op["index"] not in taken)
    return [{"op_name": op["op_name"], "index": op["index"]} for op in left]


def exact_options(activation: str) -> list[dict[str, str]]:
    """The options with which ONNX Runtime's int8 kernels are exact here: key, value and why.

    The two exclude each other: session.x64quantprecision makes weights uint8, and there are no s8 x u8 kernels.

    Args:
        activation: type of the model's activations, 'uint8' or 'int8'.
    """
    if activation == "int8":
        why = "its activations are int8: on x86 ONNX Runtime would compute a part of them in float"
        return [{"key": "session.qdqisint8allowed", "value": "1", "why": why}] if is_x86() else []
    unsafe = why_exact_kernels()
    return [{"key": "session.x64quantprecision", "value": "1", "why": unsafe}] if unsafe else []


def is_x86() -> bool:
    """Whether this machine has an x86 CPU."""
    return platform.machine().lower() in ("x86_64", "amd64", "i686")


def why_exact_kernels(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Why ONNX Runtime needs session.x64quantprecision here, or None where its default kernels are exact.

    MLAS multiplies u8 by s8 with VPMADDUBSW on AVX2 without VNNI, whose 16-bit sums saturate. Where the CPU's flags
    cannot be read the option is set as well: it then costs speed, never correctness.
    """
    if not is_x86():
        return None
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return "the CPU's flags cannot be read, and u8 x s8 kernels saturate on AVX2 without VNNI"
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    if "avx2" not in flags or flags & {"avx512_vnni", "avx_vnni"}:
        return None
    return "this CPU has AVX2 and no VNNI: u8 x s8 kernels would saturate"


class RowFile:
    """One array on disk, whose rows are appended as they come.

    The first `start` rows are those that an earlier, interrupted run of the job left in the file.
    """

    def __init__(self, path: Path, name: str, like: np.ndarray, start: int) -> None:
        self.path, self.name, self.row, self.dtype = path, name, like.shape[1:], like.dtype
        self.row_bytes = like[0].nbytes
        self.file = open(path, "ab")  # noqa: SIM115  (stays open from batch to batch; `close` ends it)
        rows = self.file.tell() // self.row_bytes
        if rows < start:
            path.with_name(DONE).unlink()
            raise RunnerError(
                "input", f"holds {rows} images and not {start}: run it again, from the beginning", path.name
            )
        self.file.truncate(start * self.row_bytes)

    def append(self, rows: np.ndarray) -> None:
        """Write rows, through to the operating system."""
        self.file.write(np.ascontiguousarray(rows).tobytes())
        self.file.flush()

    def close(self) -> dict[str, Any]:
        """What the file holds, for the `done` event."""
        self.file.close()
        shape = [self.path.stat().st_size // self.row_bytes, *self.row]
        facts = {"name": self.name, "file": self.path.name, "shape": shape, "dtype": self.dtype.name}
        return {**facts, "sha256": sha256(self.path)}


def sha256(path: Path) -> str:
    """Hash of a file, in hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def verified(folder: Path, file: dict[str, str]) -> Path:
    """The path of a file of the job, once its hash is the one that the host computed."""
    path = folder / file["path"]
    if sha256(path) != file["sha256"]:
        raise RunnerError("hash", "is not the file that the host sent: its sha256 differs", str(path))
    return path


def open_images(path: Path) -> np.ndarray:
    """The images, memory-mapped."""
    try:
        images: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise RunnerError("input", f"is not a .npy file of plain numbers: {error}", str(path)) from error
    if images.ndim != 4 or not len(images):
        raise RunnerError("input", f"holds an array of shape {list(images.shape)}, not a batch of images", str(path))
    return images


def open_table(table: dict[str, Any] | None, images: np.ndarray) -> np.ndarray | None:
    """The table from pixel to value [C, 256], when it fits the images."""
    if table is None:
        return None
    values = np.array(table["values"], dtype=table["dtype"])
    if images.dtype != np.uint8 or values.shape != (images.shape[3], 256):
        want, given = f"uint8 pixels [n, H, W, {len(values)}]", f"{images.dtype} {list(images.shape)}"
        raise RunnerError("input", f"a table of shape {list(values.shape)} needs {want}, not {given}")
    return values


def arrange(images: np.ndarray, table: np.ndarray | None, channels_last: bool) -> np.ndarray:
    """Pixels [b,H,W,C] through the table, or values [b,C,H,W] as they are, in the runtime's layout."""
    if table is None:
        values, axes = np.asarray(images), (0, 2, 3, 1) if channels_last else (0, 1, 2, 3)
    else:
        values, axes = table[np.arange(len(table)), images], (0, 1, 2, 3) if channels_last else (0, 3, 1, 2)
    return np.ascontiguousarray(values.transpose(axes))


def check_input(expected: dict[str, Any], values: np.ndarray) -> None:
    """One batch of the job against the artifact's input: dtype, and every size that is fixed."""
    shape = expected["shape"]
    sizes = [size if isinstance(size, int) else given for size, given in zip(shape, values.shape, strict=False)]
    fits = len(shape) == 4 and sizes == list(values.shape)
    if values.dtype.name != expected["dtype"] or not fits:
        given = f"{values.dtype.name} {list(values.shape)}"
        raise RunnerError("input", f"input '{expected['name']}' takes {expected['dtype']} {shape}, not {given}")


def finished(folder: Path, total: int) -> int:
    """How many images an earlier run of the job in `folder` has finished; the last one is run again, for `done`."""
    try:
        return max(0, min(int((folder / DONE).read_text(encoding="ascii")), total - 1))
    except (OSError, ValueError):  # there was none, or it was killed while it wrote
        return 0


class Events:
    """JSON lines on what was stdout. From here on stdout itself is stderr, for the runtimes' own chatter."""

    def __init__(self, folder: Path) -> None:
        self.done = folder / DONE
        self.stream: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self.last = 0.0

    def send(self, event: str, **facts: Any) -> None:
        """Write one event."""
        self.stream.write(json.dumps({"event": event, **facts}) + "\n")
        self.stream.flush()

    def progress(self, done: int, total: int) -> None:
        """Write a `progress` event, if it is time for one."""
        now = time.monotonic()
        if done == total or now - self.last >= PROGRESS_SECONDS:
            self.last = now
            self.done.write_text(str(done), encoding="ascii")
            self.send("progress", done=done, total=total)


def load(job: dict[str, Any], field: str, artifact: Path, folder: Path) -> Runtime:
    """The job's runtime, with the verified file of a field in it."""
    if job["runtime"] not in RUNTIMES:
        raise RunnerError("input", f"no runtime is named '{job['runtime']}'; there are {', '.join(RUNTIMES)}")
    try:
        runtime: Runtime = RUNTIMES[job["runtime"]]()
    except Exception as error:  # an import fails in many ways: not installed, wrong NumPy, missing system library
        raise RunnerError("import", f"{type(error).__name__}: {error}") from error
    try:
        runtime.load(artifact, job | {"activation": job[field]["activation"]}, folder)
    except RunnerError:
        raise
    except Exception as error:  # each runtime raises its own classes
        raise RunnerError(kind_of(error, "load"), str(error)) from error
    return runtime


def kind_of(error: Exception, otherwise: str) -> str:
    """'memory' for a MemoryError, or where the runtime's message says so in its own words."""
    words = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Cannot allocate memory")
    return "memory" if isinstance(error, MemoryError) or any(word in str(error) for word in words) else otherwise


def execute(job: dict[str, Any], folder: Path, events: Events) -> None:
    """The whole job: verify, load, stream, hash."""
    artifact = verified(folder, job["artifact"])
    images = open_images(verified(folder, job["inputs"]))
    table = open_table(job["table"], images)
    total, start = len(images), finished(folder, len(images))

    began = time.perf_counter()
    runtime = load(job, "artifact", artifact, folder)
    load_ms = (time.perf_counter() - began) * 1e3
    expected = runtime.input()
    batch = expected["shape"][0] if expected["shape"] else 1
    if job["batch"] not in (None, batch):
        raise RunnerError("input", f"its batch is {batch}, and the job asks for {job['batch']}")
    ready = {"version": runtime.version, "machine": platform.machine(), "threads": job["threads"]}
    events.send("ready", runtime=job["runtime"], **ready, inputs=[expected], **runtime.facts(), load_ms=load_ms)

    files: dict[str, RowFile] = {}
    seconds = []
    for first in range(start, total, batch):
        chunk = images[first : first + batch]
        values = arrange(chunk, table, runtime.channels_last)
        if len(chunk) < batch:
            values = np.concatenate([values, np.repeat(values[-1:], batch - len(chunk), axis=0)])
        check_input(expected, values)
        began = time.perf_counter()
        try:
            arrays = runtime.run(values)
        except Exception as error:  # each runtime raises its own classes
            raise RunnerError(kind_of(error, "run"), f"at image {first}: {error}") from error
        seconds.append((time.perf_counter() - began) / batch)
        for number, (name, array) in enumerate(arrays.items()):
            if not array.ndim or len(array) != batch:
                kind = f"tensor '{name}'" if name else "the output"
                raise RunnerError("run", f"{kind} is {list(array.shape)} for {batch} images: not one row an image")
            if name not in files:
                files[name] = RowFile(folder / f"{number}.raw", name, array, start)
            files[name].append(array[: len(chunk)])
        events.progress(first + len(chunk), total)

    events.send(
        "done",
        files=[file.close() for file in files.values()],
        optimized=OPTIMIZED if job["optimized"] else None,
        seconds_per_image=statistics.median(seconds),
    )


def main(path: Path, work: Callable[[dict[str, Any], Path, Events], None] = execute) -> int:
    """Do `work` on the job at `path`; 0 when it was done, 1 after an `error` event."""
    events = Events(path.parent)
    try:
        work(json.loads(path.read_text(encoding="utf-8")), path.parent, events)
    except BrokenPipeError:  # nobody listens any more
        return 1
    except RunnerError as error:
        events.send("error", kind=error.kind, message=str(error), where=error.where)
    except MemoryError as error:
        events.send("error", kind="memory", message=str(error), where=None)
    except OSError as error:
        events.send(
            "error", kind="disk", message=error.strerror or str(error), where=error.filename or str(path.parent)
        )
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
