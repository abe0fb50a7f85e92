"""A bundle that the real commands made of a tiny network on digits."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgegap.cli import run


@pytest.fixture(autouse=True)
def _signals_as_we_found_them() -> Iterator[None]:
    """The command line changes what signals do: its process is its own. Here it is not."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _network(path: Path) -> Path:
    """3x3 convolution, ReLU, one map per class, GAP; the first weights that come."""
    rng = np.random.default_rng(0)
    weights = {"w1": (8, 1, 3, 3), "b1": (8,), "w2": (10, 8, 1, 1), "b2": (10,)}
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["stem"], name="stem", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["stem"], ["relu"], name="relu"),
        helper.make_node("Conv", ["relu", "w2", "b2"], ["maps"], name="maps"),
        helper.make_node("GlobalAveragePool", ["maps"], ["gap"], name="gap"),
        helper.make_node("Flatten", ["gap"], ["logits"], name="flatten"),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        [
            numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)
            for name, shape in weights.items()
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A bundle that was exported, checked and explained, and the record of its export; treat it as read-only."""
    folder = tmp_path_factory.mktemp("made")
    bundle = folder / "bundle"
    calls: list[list[object]] = [
        ["export", _network(folder / "net.onnx"), "--int8", "--calib", "digits:train", "--preprocess", "unit"],
        ["check", bundle, "--data", "digits:test", "--samples", 100],
        ["explain", bundle, "--data", "digits:test", "--samples", 10],
    ]
    calls[0] += ["-o", bundle]
    records = []
    for call in calls:
        out = StringIO()
        with redirect_stdout(out):
            assert run([*map(str, call), "--json", "-"]) == 0
        records.append(json.loads(out.getvalue()))
    return bundle, records[0]
