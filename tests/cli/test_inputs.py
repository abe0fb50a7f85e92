"""Networks of several inputs: the files take one, of the channels of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from .harness import edgegap, refused
from .test_export_bundles import exported, manifest_of

NOTE = (
    "note: the network has 2 inputs: the files take one of 4 channels, which are in this order those of rgb (3), depth"
)

SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.colours, self.depth = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(1, 8, 3, padding=1)
        self.head = nn.Linear(16, 5)

    def forward(self, rgb, depth, scale=None):
        y = torch.cat([self.colours(rgb).relu(), self.depth(depth).relu()], 1)
        return self.head(y.mean((2, 3)))

def net():
    torch.manual_seed(0)
    return Net()
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Features [N, 4, 8, 8]."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 4, 8, 8)).astype(np.float32), rng.integers(0, 5, 24)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return tmp_path / "data.npz"


def write_two(path: Path, *, width: int | str = 8, sizes: int | str = 8) -> Path:
    """An .onnx of inputs `rgb` and `depth`."""
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(8, 3, 3, 3)), "v": rng.normal(size=(8, 1, 3, 3)), "h": rng.normal(size=(5, 16))}
    nodes = [
        helper.make_node("Conv", ["rgb", "w"], ["a"], name="colours"),
        helper.make_node("Conv", ["depth", "v"], ["b"], name="depths"),
        helper.make_node("Concat", ["a", "b"], ["ab"], name="both", axis=1),
        helper.make_node("GlobalAveragePool", ["ab"], ["gap"], name="gap"),
        helper.make_node("Flatten", ["gap"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "h"], ["logits"], name="head", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "two",
        [
            helper.make_tensor_value_info("rgb", TensorProto.FLOAT, ["N", 3, sizes, sizes]),
            helper.make_tensor_value_info("depth", TensorProto.FLOAT, ["N", 1, sizes, width]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


@pytest.mark.parametrize("sizes", [8, "S"])
def test_of_an_onnx_file_they_become_one(tmp_path: Path, data: Path, sizes: int | str) -> None:
    path = write_two(tmp_path / "two.onnx", sizes=sizes, width=sizes)
    done = exported(path, "--int8", "--calib", data, "-o", tmp_path / "out")
    assert NOTE in done.err
    assert manifest_of(tmp_path / "out")["input_shape"] == [1, 4, 8, 8]
    images = np.load(data)["x"][:1]
    (logits,) = onnxruntime.InferenceSession(tmp_path / "out" / "float.onnx").run(None, {"joined": images})
    feeds = {"rgb": images[:, :3], "depth": images[:, 3:]}
    (expected,) = onnxruntime.InferenceSession(path).run(None, feeds)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert edgegap("check", tmp_path / "out", "--data", data).status == 0


def test_of_a_torch_network_they_become_one(tmp_path: Path, data: Path) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "nets.py").write_text(SOURCE)
    call = (f"{tmp_path / 'nets.py'}:net", "--input-shape", "3,8,8", "--input-shape", "1,8,8")
    done = exported(*call, "--int8", "--calib", data, "-o", tmp_path / "out")
    assert NOTE in done.err
    images = np.load(data)["x"][:1]
    (logits,) = onnxruntime.InferenceSession(tmp_path / "out" / "float.onnx").run(None, {"input": images})
    scope: dict[str, object] = {}
    exec(SOURCE, scope)  # noqa: S102  # the file above
    with torch.no_grad():
        expected = scope["net"]()(torch.from_numpy(images[:, :3]), torch.from_numpy(images[:, 3:])).numpy()  # type: ignore[operator]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    layers = edgegap("check", tmp_path / "out", "--data", data, "--json", "-").record["layers"]["rows"]
    assert {row["module"] for row in layers} >= {"colours", "depth", "head"}


def test_inputs_of_several_sizes_are_refused(tmp_path: Path) -> None:
    path = write_two(tmp_path / "two.onnx", width=9)
    refused("export", path, "-o", tmp_path / "out", words=("2 inputs (rgb, depth)", "one height and width"))
    (tmp_path / "nets.py").write_text(SOURCE)
    call = ("export", f"{tmp_path / 'nets.py'}:net", "-o", tmp_path / "out")
    shapes = ("--input-shape", "3,8,8", "--input-shape", "1,8,9")
    refused(*call, *shapes, words=("differ in height or width",))


def test_another_number_of_shapes_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "nets.py").write_text(SOURCE + "\ndef one():\n    return nn.Conv2d(4, 5, 3)\n")
    call = ("-o", tmp_path / "out", "--input-shape", "3,8,8")
    refused("export", f"{tmp_path / 'nets.py'}:net", *call, words=("2 inputs (rgb, depth)", "once for each"))
    twice = (*call, "--input-shape", "1,8,8")
    refused("export", f"{tmp_path / 'nets.py'}:one", *twice, words=("1 input (input)", "once"))
