"""The heads that people write in torch, as both of its exporters spell them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import onnx_ir as ir
import pytest

from edgegap.graph.canonical import canonicalize
from edgegap.graph.head import head_of
from edgegap.graph.nodes import module_path
from edgegap.graph.trace import trace

from .models import assert_close, normal, ops, run

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


class Network(nn.Module):
    """Maps behind a normalized convolution, and a head made of `points`, `classes` and `fc`."""

    def __init__(self, head: Callable) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1, bias=False), nn.BatchNorm2d(5), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.points = nn.Conv2d(5, 10, 1)
        self.classes = nn.Linear(5, 10)
        self.fc = nn.Linear(5 * 64, 10)
        self.head = head
        self.eval()

    def forward(self, x):
        return self.head(self, self.features(x))


HEADS: dict[str, tuple[str, Callable]] = {
    "AdaptiveAvgPool2d and flatten": ("gap", lambda m, x: m.pool(F.relu(m.points(x))).flatten(1)),
    "mean of both axes": ("gap", lambda m, x: m.points(x).mean((2, 3))),
    "mean after mean": ("gap", lambda m, x: m.points(x).mean(-1).mean(-1)),
    "mean after mean, axes kept": ("gap", lambda m, x: m.points(x).mean(2, keepdim=True).mean(3).flatten(1)),
    "mean of flattened positions": ("gap", lambda m, x: m.points(x).flatten(2).mean(2)),
    "mean of viewed positions": ("gap", lambda m, x: m.points(x).view(x.size(0), 10, -1).mean(-1)),
    "squeezes": ("gap", lambda m, x: m.pool(m.points(x)).squeeze(-1).squeeze(-1)),
    "avg_pool2d and view": ("gap", lambda m, x: F.avg_pool2d(m.points(x), 8).view(x.size(0), -1)),
    "Linear behind the average": ("gap-linear", lambda m, x: m.classes(m.pool(x).flatten(1))),
    "Linear behind dropout": ("gap-linear", lambda m, x: m.classes(F.dropout(x.mean([2, 3]), 0.5, m.training))),
    "weights multiplied by hand": ("gap-linear", lambda m, x: x.mean((2, 3)) @ m.classes.weight.T + m.classes.bias),
    "1x1 convolution behind the average": ("gap-linear", lambda m, x: m.points(m.pool(x)).flatten(1)),
    "Linear of all positions": ("fc", lambda m, x: m.fc(x.flatten(1))),
    "Linear of viewed positions": ("fc", lambda m, x: m.fc(x.view(x.size(0), -1))),
    "averages of quarters": ("none", lambda m, x: F.adaptive_avg_pool2d(x, 2).flatten(1)),
}


def torchscript(network: nn.Module) -> ir.Model:
    """What the exporter before torch 2.5 writes: reshapes to shapes computed by Shape, Gather and Concat."""
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # it says that it is deprecated
        torch.onnx.export(
            network, (torch.zeros(2, 3, 8, 8),), file, dynamo=False, opset_version=17, input_names=["input"],
            output_names=["logits"], dynamic_axes={"input": {0: "N"}},
        )  # fmt: skip
    import onnx  # noqa: PLC0415  # a name that this module would otherwise hide

    return ir.from_proto(onnx.load_from_string(file.getvalue()))


COMPUTED = ["squeezes", "mean of viewed positions", "avg_pool2d and view", "Linear of viewed positions"]


@pytest.mark.parametrize(
    ("name", "exporter"), [*((name, "dynamo") for name in HEADS), *((name, "torchscript") for name in COMPUTED)]
)
def test_every_head_is_recognized_and_keeps_its_values(name: str, exporter: str) -> None:
    kind, head = HEADS[name]
    network = Network(head)
    model = trace(network, (3, 8, 8), name) if exporter == "dynamo" else torchscript(network)
    canonicalize(model, (1, 3, 8, 8))
    x = normal(1, 3, 8, 8)
    with torch.no_grad():
        assert_close(run(model, x), network(torch.from_numpy(x)).numpy())
    assert head_of(model) == kind
    assert "BatchNormalization" not in ops(model)
    assert [value.name for value in (*model.graph.inputs, *model.graph.outputs)] == ["input", "logits"]


def test_nodes_carry_the_path_of_their_module() -> None:
    model = canonicalize(trace(Network(HEADS["Linear behind the average"][1]), (3, 8, 8), "it"), (1, 3, 8, 8))
    paths = {node.op_type: module_path(node) for node in model.graph}
    assert paths["Conv"].startswith("features.")
    assert paths["Gemm"] == "classes"
    assert paths["GlobalAveragePool"] == "pool"
