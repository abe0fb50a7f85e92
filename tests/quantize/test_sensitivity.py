"""Sensitivity: what a part costs is what the simulation of it alone loses, and the worst part is the first."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from ops.harness import Net

from edgegap.errors import DataError
from edgegap.graph.nodes import operand
from edgegap.progress import silent
from edgegap.quantize.noise import Cost, Noise
from edgegap.quantize.parameters import Grid
from edgegap.quantize.quantization import Quantization
from edgegap.quantize.sensitivity import Part, Sensitivity, sensitivity
from edgegap.quantize.simulation import Simulation

from .nets import BIASED, images_of, quantized

torch = pytest.importorskip("torch")

IMAGES = images_of(Net((1, 3, 8, 8), seed=99), 6)


@cache
def network(seed: int = 0) -> Quantization:
    """Branches that meet in an Add and in a Concat, pools, and a head."""
    net = Net((1, 3, 8, 8), seed=seed)
    x = net.op("Relu", [net.conv(net.x, (4, 3, 3, 3), pads=[1, 1, 1, 1])])
    y = net.op("Relu", [net.op("Add", [net.conv(x, (4, 4, 3, 3), pads=[1, 1, 1, 1]), x])])
    y = net.op("Concat", [net.op("MaxPool", [y], kernel_shape=[2, 2], strides=[2, 2]), halved(net, x)], axis=1)
    y = net.op("Flatten", [net.op("GlobalAveragePool", [net.op("Relu", [net.conv(y, (6, 8, 1, 1))])])])
    return quantized(net, net.gemm(y, 7, 6), recipe=BIASED, io="float").parts


def halved(net: Net, x: str) -> str:
    return net.op("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1)


def measured(parts: Quantization, images: np.ndarray = IMAGES) -> Sensitivity:
    return sensitivity(parts, [images[:4], images[4:]], silent)


def by_hand(parts: Quantization, grids: dict[str, Grid], layers: list[str]) -> Cost:
    """With these grids and the weights of these layers alone."""
    x, noise = torch.from_numpy(IMAGES), Noise()
    simulation = Simulation(parts.model, grids, {name: parts.linear[name] for name in layers})
    noise.add(Simulation(parts.model, {}, {})(x).numpy(), simulation(x).detach().numpy())
    return noise.cost()


def grids_behind(parts: Quantization, name: str) -> dict[str, Grid]:
    """The grid of what a node makes, by the name of the value that has it: behind its ReLU."""
    names = {str(operand(n).name): str(n.outputs[0].name) for n in parts.model.graph if n.op_type == "Relu"}
    value = names.get(name, name)
    return {value: parts.grids[value]}


def same(part: Part | Cost, expected: Cost) -> bool:
    if part.snr_db is None or expected.snr_db is None:
        return part.snr_db == expected.snr_db and part.changed == expected.changed
    return part.changed == expected.changed and abs(part.snr_db - expected.snr_db) < 0.05


@pytest.mark.parametrize("seed", range(3))
def test_each_figure_is_that_of_the_simulation_of_that_part_alone(seed: int) -> None:
    parts = network(seed)
    found = measured(parts)
    assert found.images == 6
    for part in found.parts:
        alone = (
            by_hand(parts, {}, [part.name])
            if part.kind == "weights"
            else by_hand(parts, grids_behind(parts, part.name), [])
        )
        assert same(part, alone), (part, alone)
    assert same(found.whole, by_hand(parts, dict(parts.grids), list(parts.linear)))
    assert same(found.weights, by_hand(parts, {}, list(parts.linear)))
    assert same(found.activations, by_hand(parts, dict(parts.grids), []))


def test_what_moves_values_and_what_is_exact_are_no_parts() -> None:
    parts = network()
    found = measured(parts).parts
    ops = {str(node.outputs[0].name): node.op_type for node in parts.model.graph}
    activations = sorted(ops.get(part.name, "Input") for part in found if part.kind == "activation")
    assert activations == sorted(["Input", "Add", "Gemm", "GlobalAveragePool", *["Conv"] * 4])
    assert len(parts.linear) == 5, "the pool is a convolution too"
    assert sum(part.kind == "weights" for part in found) == 4
    assert all(part.op == ops.get(part.name, "Input") for part in found)


def test_the_order_is_that_of_the_noise() -> None:
    noise = [part.snr_db for part in measured(network()).parts if part.snr_db is not None]
    assert noise == sorted(noise)


def test_a_layer_whose_weights_are_spoiled_is_the_worst() -> None:
    parts = network()
    name = list(parts.linear)[1]
    spoiled = replace(parts.linear[name], weight=np.roll(parts.linear[name].weight, 1, axis=0))
    worst = measured(replace(parts, linear={**parts.linear, name: spoiled})).parts[0]
    assert (worst.kind, worst.name, worst.op) == ("weights", name, "Conv")


def test_an_activation_with_an_outlier_in_its_range_is_the_worst() -> None:
    parts = network()
    add = next(str(node.outputs[0].name) for node in parts.model.graph if node.op_type == "Add")
    ((value, grid),) = grids_behind(parts, add).items()
    worst = measured(replace(parts, grids={**parts.grids, value: Grid(100 * grid.scale, grid.zero_point)})).parts[0]
    assert (worst.kind, worst.name, worst.op) == ("activation", add, "Add")


def test_what_stays_in_float_is_no_part() -> None:
    parts = network()
    last = str(parts.model.graph.outputs[0].name)
    found = measured(replace(parts, float_layers=frozenset({last})))
    assert last not in {part.name for part in found.parts}
    kept = replace(parts, float_layers=frozenset({last})).simulation()
    x, noise = torch.from_numpy(IMAGES), Noise()
    noise.add(Simulation(parts.model, {}, {})(x).numpy(), kept(x).detach().numpy())
    assert same(found.whole, noise.cost())


def test_how_many_images_are_done_is_told() -> None:
    told = []
    sensitivity(network(), [IMAGES[:4], IMAGES[4:]], lambda *progress: told.append(progress), 6)
    assert told == [("measuring sensitivity", 0, 6), ("measuring sensitivity", 4, 6)]


def test_no_images_are_refused() -> None:
    with pytest.raises(DataError, match="no images"):
        sensitivity(network(), [], silent)
