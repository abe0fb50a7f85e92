"""What to run, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from edgegap.errors import DataError, ModelError
from edgegap.run.runner import sha256

Runtime = Literal["onnxruntime", "ai-edge-litert"]


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

    def to_json(self, *, artifact: str | None = None, inputs: str | None = None, start: int = 0) -> str:
        """The text of job.json, hashes included.

        Args:
            artifact: the artifact's path where the job runs, absolute or beside job.json; as it is here if None.
            inputs: likewise.
            start: the first image still to run, below n. The images before it are in the output files already, written
                by an earlier run in the same folder that was cut off (its last `progress` said how many).

        Raises:
            ModelError: the artifact cannot be read.
            DataError: the inputs cannot be read.
        """
        try:
            artifact_hash = sha256(self.artifact)
        except OSError as error:
            raise ModelError(f"cannot be read: {error.strerror}", where=str(self.artifact)) from error
        try:
            inputs_hash = sha256(self.inputs)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", where=str(self.inputs)) from error
        table = None if self.table is None else {"dtype": self.table.dtype.name, "values": self.table.tolist()}
        record = {
            "artifact": {"path": artifact or str(self.artifact.resolve()), "sha256": artifact_hash},
            "runtime": self.runtime,
            "inputs": {"path": inputs or str(self.inputs.resolve()), "sha256": inputs_hash},
            "table": table,
            "threads": self.threads,
            "tensors": list(self.tensors),
            "batch": self.batch,
            "optimized": self.optimized,
            "start": start,
        }
        return json.dumps(record)


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
