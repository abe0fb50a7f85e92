"""The command line in this process, and the smallest networks and images that it takes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edgegap.cli import run

COMMAND = Path(sys.executable).with_name("edgegap")


@dataclass(frozen=True)
class Done:
    """What a command did: its exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The JSON that stdout carries, and nothing else."""
        record: dict[str, Any] = json.loads(self.out)
        return record


def edgegap(*arguments: object) -> Done:
    """`edgegap ARGUMENTS` in this process; an exception that escapes fails the test."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run([str(argument) for argument in arguments])
    return Done(status, out.getvalue(), err.getvalue())


def refused(*arguments: object, words: str | tuple[str, ...], status: int = 2) -> str:
    """Run a command that must be refused: nothing on stdout, each of `words` on stderr, which is given back."""
    done = edgegap(*arguments)
    assert done.status == status, done
    assert not done.out
    for word in (words,) if isinstance(words, str) else words:
        assert word in done.err, f"{word!r} is not in: {done.err}"
    return done.err


def in_subprocess(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed `edgegap` as a process of its own."""
    command = [str(COMMAND), *map(str, arguments)]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def write_onnx(
    path: Path,
    *,
    opset: int = 18,
    batch: int | str = 1,
    size: int | str = 8,
    channels: int = 1,
    tail: str = "",
    **weights: Any,
) -> Path:
    """A network for digits: 3x3 convolution, ReLU, one map per class, GAP; input 'input', output 'logits'.

    Args:
        path: where to write it.
        opset: of the file.
        batch: a number, or a name for a dynamic one.
        size: height and width; a name for a dynamic one.
        channels: of the input.
        tail: an op to put after the logits, such as Softmax.
        weights: arrays in place of 'stem_weight', 'stem_bias', 'maps_weight', 'maps_bias'.
    """
    rng = np.random.default_rng(0)
    arrays = {
        "stem_weight": rng.normal(0, 0.5, (8, channels, 3, 3)),
        "stem_bias": rng.normal(0, 0.1, 8),
        "maps_weight": rng.normal(0, 0.5, (10, 8, 1, 1)),
        "maps_bias": rng.normal(0, 0.1, 10),
    } | weights
    nodes = [
        helper.make_node("Conv", ["input", "stem_weight", "stem_bias"], ["stem"], name="stem", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["stem"], ["stem_relu"], name="stem_relu"),
        helper.make_node("Conv", ["stem_relu", "maps_weight", "maps_bias"], ["maps"], name="maps"),
        helper.make_node("GlobalAveragePool", ["maps"], ["gap"], name="gap"),
        helper.make_node("Flatten", ["gap"], ["scores" if tail else "logits"], name="flatten"),
    ]
    if tail:
        nodes.append(helper.make_node(tail, ["scores"], ["logits"], name="tail"))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, channels, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 10])],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def write_images(folder: Path, classes: dict[str, int], *, size: int = 8, seed: int = 0) -> Path:
    """A folder of random grey PNGs: so many for each class, named 0.png, 1.png, ..."""
    rng = np.random.default_rng(seed)
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for k in range(count):
            Image.fromarray(rng.integers(0, 256, (size, size), np.uint8)).save(folder / name / f"{k}.png")
    return folder


def write_npz(path: Path, n: int, *, size: int = 8, **arrays: Any) -> Path:
    """Random grey images and labels 0 to 9, or the `arrays` given in their place; None leaves one out."""
    rng = np.random.default_rng(1)
    random = {"images": rng.integers(0, 256, (n, size, size), np.uint8), "labels": rng.integers(0, 10, n)}
    np.savez(path, **{name: array for name, array in (random | arrays).items() if array is not None})
    return path


def left_behind(folder: Path) -> list[str]:
    """What is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())
