"""The line of the user's model that a node came from, out of what torch's exporter notes."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from edgegap.graph.nodes import keep_module_paths, new_node, unsupported
from edgegap.graph.source_line import source_line

from .models import ready

CALL = 'File "/home/me/nets/model.py", line 42, in forward\n    x = self.gate(x)\n'
INNER = '  File "/home/me/nets/gate.py", line 7, in forward\n    return x.cumsum(2)\n'
TORCH = (
    '  File "/env/lib/python3.11/site-packages/torch/nn/modules/activation.py", line 9, in forward\n    return F.f(x)'
)
GENERATED = '  File "<eval_with_key>.3", line 5, in forward\n    relu = x.relu()'
WINDOWS = 'File "C:\\env\\site-packages\\torch\\nn\\f.py", line 9, in forward\n    return F.f(x)'
VISION = '  File "/env/lib/python3.11/site-packages/torchvision/models/resnet.py", line 3, in forward\n    out += x\n'


def noted(trace: str | None) -> ir.Model:
    model = ready("a = Relu(x) y = Neg(a)")
    if trace is not None:
        for node in model.graph:
            node.metadata_props["pkg.torch.onnx.stack_trace"] = trace
    keep_module_paths(model)
    return model


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (CALL, "model.py:42, in forward: x = self.gate(x)"),
        (CALL + INNER, "gate.py:7, in forward: return x.cumsum(2)"),
        (CALL + TORCH, "model.py:42, in forward: x = self.gate(x)"),
        (CALL + VISION + TORCH, "resnet.py:3, in forward: out += x"),
        (CALL + GENERATED, "model.py:42, in forward: x = self.gate(x)"),
        ('File "C:\\me\\model.py", line 2, in <lambda>', "model.py:2, in <lambda>"),
        (CALL + WINDOWS, "model.py:42, in forward: x = self.gate(x)"),
        (TORCH, None),
        ("no trace", None),
        ("", None),
        (None, None),
    ],
)  # fmt: skip
def test_the_innermost_call_outside_torch_is_named(trace: str | None, expected: str | None) -> None:
    node = next(iter(noted(trace).graph))
    assert source_line(node) == expected
    error = unsupported(node, "no", "Leave it out.")
    assert error.source == expected
    if expected is not None:
        assert str(error).splitlines() == [f"{error.where}: {error.what}", expected, "Leave it out."]


def test_a_new_node_and_a_copy_of_the_model_keep_it() -> None:
    copied = noted(CALL).clone()
    node = next(iter(copied.graph))
    assert source_line(new_node(node, "Relu", node.inputs, name="z")) == source_line(node) is not None


def test_files_hold_nothing_of_it() -> None:
    assert b"model.py" not in ir.to_proto(noted(CALL)).SerializeToString()
