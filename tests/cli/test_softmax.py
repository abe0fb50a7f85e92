"""A Softmax or LogSoftmax that ends a network is left out, with a sentence; any other stays, and is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from edgegap.errors import InternalError
from edgegap.export.model import FloatModel, load_model, read_model
from edgegap.graph.outputs import leave_out_softmax

from .harness import edgegap, refused, write_onnx
from .test_export_bundles import INT8, exported, manifest_of

NOTE = "that ends the network is left out: the files give the logits"


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_the_files_give_the_logits_with_a_notice(tmp_path: Path, op: str) -> None:
    plain, ending = write_onnx(tmp_path / "plain.onnx"), write_onnx(tmp_path / "ending.onnx", tail=op)
    assert NOTE not in exported(plain, *INT8, "-o", tmp_path / "plain").err
    assert f"note: the {op} {NOTE}" in exported(ending, *INT8, "-o", tmp_path / "ending").err
    for name in ("float.tflite", "int8.onnx", "int8.tflite"):
        files = [(tmp_path / which / name).read_bytes() for which in ("plain", "ending")]
        assert files[0] == files[1]
    assert manifest_of(tmp_path / "ending")["exactness"] == "exact"


SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, ending):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 10, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.ending, self.steep = ending, {steep}

    def forward(self, x):
        return self.ending(self.body(x) * self.steep)

def net():
    torch.manual_seed(0)
    return Net({ending})
"""


@pytest.mark.parametrize("ending", ["nn.Softmax(1)", "nn.LogSoftmax(dim=-1)"])
@pytest.mark.parametrize("steep", [1, 1000])
def test_of_a_torch_network_too(tmp_path: Path, ending: str, steep: int) -> None:
    """Even where most probabilities are 0 in float32."""
    pytest.importorskip("torch")
    (tmp_path / "nets.py").write_text(SOURCE.format(ending=ending, steep=steep))
    done = exported(f"{tmp_path / 'nets.py'}:net", "--input-shape", "1,8,8", "-o", tmp_path / "out")
    assert NOTE in done.err
    session = onnxruntime.InferenceSession(tmp_path / "out" / "float.onnx")
    (logits,) = session.run(None, {"input": np.random.default_rng(0).normal(size=(1, 1, 8, 8)).astype(np.float32)})
    assert logits.min() < 0 or logits.sum() > 1.01, "these are probabilities"


def test_a_network_that_differs_is_found_behind_a_softmax_too(tmp_path: Path) -> None:
    """Where its largest probability is 1 but for float32, so that the probabilities themselves tell nothing."""
    rng = np.random.default_rng(0)
    spec = str(write_onnx(tmp_path / "net.onnx", tail="Softmax", maps_bias=np.arange(10) * 40.0))
    found = load_model(read_model(spec, None, None, None), spec)
    images = rng.normal(size=(4, 1, 8, 8)).astype(np.float32)
    found.compared(images)
    bias = next(v for v in found.model.graph.initializers.values() if v.shape == [10])
    assert bias.const_value is not None
    bias.const_value = ir.tensor(bias.const_value.numpy() + np.float32([0.5] * 9 + [0]), name=bias.name)
    with pytest.raises(InternalError, match="differs from the network"):
        FloatModel(found.model, found.original, spec, softmax=found.softmax).compared(images)


def test_a_softmax_over_another_axis_stays_and_is_refused(tmp_path: Path) -> None:
    model = onnx.load(write_onnx(tmp_path / "net.onnx", tail="Softmax"))
    model.graph.node[-1].attribute.append(onnx.helper.make_attribute("axis", 0))
    onnx.save(model, tmp_path / "net.onnx")
    refused("export", tmp_path / "net.onnx", *INT8, "-o", tmp_path / "out", words=("Softmax", "'tail'"))


def test_one_whose_result_is_used_stays(tmp_path: Path) -> None:
    body = "s = Softmax (x) y = Relu (s)"
    text = f'<ir_version: 8, opset_import: ["": 18]> net (float[1,4] x) => (float[1,4] s, float[1,4] y) {{ {body} }}'
    assert leave_out_softmax(ir.from_proto(onnx.parser.parse_model(text))) is None


def test_a_dry_run_says_so(tmp_path: Path) -> None:
    done = edgegap("export", write_onnx(tmp_path / "net.onnx", tail="Softmax"), "--int8", "--dry-run")
    assert done.status == 0, done.err
    assert NOTE in done.err + done.out
