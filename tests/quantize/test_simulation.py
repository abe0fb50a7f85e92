"""The simulation: it computes what the integers do, and its gradient passes roundings straight through."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import strategies as st
from ops.harness import Net
from ops.seeded import few
from tflite.runtimes import run_onnx

from edgegap.evaluator import Evaluator
from edgegap.quantize.parameters import Grid
from edgegap.quantize.quantization import Quantized
from edgegap.quantize.simulation import Simulation, on_grid

from .nets import FULL, images_of, quantized

torch = pytest.importorskip("torch")


def network(seed: int) -> Quantized:
    """A residual block and a head of global pooling."""
    net = Net((1, 3, 8, 8), seed=seed)
    x = net.op("Relu", [net.conv(net.x, (4, 3, 3, 3), pads=[1, 1, 1, 1])])
    y = net.op("Relu", [net.op("Add", [x, net.conv(x, (4, 4, 3, 3), pads=[1, 1, 1, 1])])])
    return quantized(net, net.op("GlobalAveragePool", [net.conv(y, (5, 4, 1, 1))]), recipe=FULL, io="float")


@few(st.integers(0, 10**6))
def test_it_computes_what_the_integers_compute(seed: int) -> None:
    found = network(seed)
    parts, x = found.parts, images_of(Net((1, 3, 8, 8), seed=seed + 1))
    simulated = Simulation(parts.model, parts.grids, parts.linear)(torch.from_numpy(x)).numpy()
    step = parts.grids[str(parts.model.graph.outputs[0].name)].scale
    model = ir.to_proto(found.model)
    for image, mine in zip(x, simulated, strict=True):
        (theirs,) = run_onnx(model, {"x": image[None]})
        assert np.abs(mine.reshape(-1) - theirs.reshape(-1)).max() < 1.5 * step


def test_without_grids_and_integers_it_is_the_float_network() -> None:
    parts, x = network(0).parts, torch.from_numpy(images_of(Net((1, 3, 8, 8))))
    assert torch.equal(Simulation(parts.model, {}, {})(x), Evaluator(parts.model)(x))


def test_a_hook_is_told_rounded_values() -> None:
    parts, x = network(0).parts, torch.from_numpy(images_of(Net((1, 3, 8, 8))))
    seen = {}
    Simulation(parts.model, parts.grids, parts.linear)(x, lambda value, tensor: seen.update({str(value.name): tensor}))
    for name, grid in parts.grids.items():
        if name in seen:
            assert torch.equal(on_grid(seen[name], grid), seen[name])


def test_the_gradient_passes_roundings_and_stops_behind_saturations() -> None:
    x = torch.tensor([-3.0, -0.4, 0.26, 1.0, 300.0], requires_grad=True)
    on_grid(x, Grid(0.5, 2)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_every_layer_can_be_trained() -> None:
    parts, x = network(0).parts, torch.from_numpy(images_of(Net((1, 3, 8, 8))))
    simulation = Simulation(parts.model, parts.grids, parts.linear)
    for layer in simulation.layers.values():
        layer.weight.requires_grad_()
        layer.bias.requires_grad_()
    simulation(x).square().sum().backward()
    for layer in simulation.layers.values():
        assert layer.weight.grad.any()
        assert layer.bias.grad.any()
