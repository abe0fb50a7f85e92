"""Who is compared, and the command that makes the int8 files of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from environments import OWN, Environment, environment
from inputs import Inputs

_HERE = Path(__file__).resolve().parent

Command = Callable[[Environment, Inputs, Path], list[str]]
"""From an interpreter, what there is to start from, and the folder to write to."""


@dataclass(frozen=True)
class Peer:
    """One way to an int8 file.

    Args:
        name: on the command line.
        title: in the table.
        command: makes its files.
        files: what they are called.
        packages: whose versions stand in the table.
        from_onnx: it starts from the float ONNX, whose export counts into its cost.
        python: the version that its pins are for; None where it runs in EdgeGAP's own environment.
        pins: the stem of its file of requirements.
    """

    name: str
    title: str
    command: Command
    files: tuple[str, ...]
    packages: tuple[str, ...]
    from_onnx: bool = False
    python: str | None = None
    pins: str = ""

    def environment(self) -> Environment:
        """Where it runs, made on first use.

        Raises:
            Unavailable: it cannot be made.
        """
        return OWN if self.python is None else environment(self.pins, self.python)


def _edgegap(recipe: str) -> Peer:
    def command(_: Environment, inputs: Inputs, folder: Path) -> list[str]:
        return inputs.case.export(folder, recipe, folder.with_suffix(".json"))

    files = ("int8.onnx", "int8.tflite")
    return Peer(f"edgegap-{recipe}", f"EdgeGAP `{recipe}`", command, files, ("edgegap", "torch"))


def _from_torch(script: str, output: str) -> Command:
    def command(environment: Environment, inputs: Inputs, folder: Path) -> list[str]:
        python = [str(environment.python), str(_HERE / script)]
        return [*python, *inputs.trained, str(inputs.calibration), str(folder / output)]

    return command


def _from_onnx(script: str, output: str, *options: str) -> Command:
    def command(environment: Environment, inputs: Inputs, folder: Path) -> list[str]:
        python = [str(environment.python), str(_HERE / script)]
        return [*python, str(inputs.float_onnx), str(inputs.calibration), str(folder / output), *options]

    return command


def _ort(method: str) -> Peer:
    return Peer(
        f"ort-{method.lower()}",
        f"ONNX Runtime QUInt8 {method}",
        _from_onnx("convert_ort.py", "int8.onnx", method),
        ("int8.onnx",),
        ("onnxruntime",),
        from_onnx=True,
    )


PEERS = (
    _edgegap("fast"),
    _edgegap("default"),
    _ort("MinMax"),
    _ort("Percentile"),
    Peer(
        "litert",
        "litert-torch + ai-edge-quantizer",
        _from_torch("convert_litert.py", "int8.tflite"),
        ("int8.tflite",),
        ("litert-torch", "ai-edge-quantizer", "torch"),
        python="3.11",
        pins="litert",
    ),
    Peer(
        "onnx2tf",
        "onnx2tf",
        _from_onnx("convert_onnx2tf.py", "int8.tflite"),
        ("int8.tflite",),
        ("onnx2tf",),
        from_onnx=True,
        python="3.12",
        pins="onnx2tf",
    ),
    Peer(
        "pt2e",
        "torchao PT2E",
        _from_torch("convert_pt2e.py", "int8.onnx"),
        ("int8.onnx",),
        ("torchao", "torch"),
        python="3.11",
        pins="pt2e",
    ),
    Peer(
        "quark",
        "AMD Quark, equalization and bias correction",
        _from_onnx("convert_quark.py", "int8.onnx"),
        ("int8.onnx",),
        ("amd-quark", "onnxruntime"),
        from_onnx=True,
        python="3.11",
        pins="quark",
    ),
)
