"""Moments: they are those of the patches that a layer really multiplies, and take constant memory."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import strategies as st
from ops.harness import Net
from ops.seeded import many
from tflite.runtimes import run_onnx

from edgegap.quantize import moments as module
from edgegap.quantize.moments import Moments, collect_moments, patches_of, portions
from edgegap.quantize.quantize import quantize

from .nets import FULL, canonical, first, images_of, quantized


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((6, 4, 3, 3), {"pads": [1, 1, 1, 1]}),
        ((6, 4, 3, 2), {"pads": [0, 1, 2, 0], "strides": [2, 1]}),
        ((6, 2, 2, 3), {"group": 2, "dilations": [2, 1]}),
        ((4, 1, 3, 3), {"group": 4, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((6, 4, 1, 1), {}),
    ],
)
def test_patches_times_weights_are_the_convolution(shape, attributes) -> None:
    net = Net((1, 4, 7, 6))
    model = canonical(net, net.conv(net.x, shape, **attributes))
    node, x = first(model, "Conv"), net.normal(1, 4, 7, 6)
    weight, bias = (node.inputs[k].const_value.numpy() for k in (1, 2))
    groups = node.attributes["group"].value
    patches = patches_of(node, x, 0)
    rows = weight.reshape(groups, len(weight) // groups, -1)
    (expected,) = run_onnx(ir.to_proto(model), {"x": x})
    found = (rows @ patches.transpose(0, 2, 1)).reshape(len(weight), -1) + bias[:, None]
    np.testing.assert_allclose(found, expected[0].reshape(-1, len(weight)).T, rtol=1e-4, atol=1e-5)


def test_every_position_of_a_large_map_has_its_turn() -> None:
    net = Net((1, 1, 20, 20))
    node = first(canonical(net, net.conv(net.x, (1, 1, 1, 1))), "Conv")
    x, seen = np.arange(400, dtype=np.float32).reshape(1, 1, 20, 20), set()
    for number in range(10):
        patches = patches_of(node, x, number)
        assert patches.shape[1] <= module.POSITIONS
        seen |= set(patches.reshape(-1).tolist())
    assert seen == set(range(400))


@many(st.integers(0, 999), st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_moments_are_numpys_whatever_the_portions(seed: int, portions) -> None:
    rng = np.random.default_rng(seed)
    patches = (rng.normal(size=(2, sum(portions), 5)) + 3).astype(np.float32)
    moments = Moments(2, 5, second=True)
    for part in np.split(patches, np.cumsum(portions)[:-1], axis=1):
        moments.update(part)
    np.testing.assert_allclose(moments.mean, patches.mean(axis=1), rtol=1e-5)
    for found, group in zip(moments.covariance(), patches.astype(np.float64), strict=True):
        np.testing.assert_allclose(found, np.cov(group.T, bias=True), atol=1e-4)


def test_what_is_pending_stays_below_its_limit(monkeypatch) -> None:
    monkeypatch.setattr(module, "_PENDING", 1000)
    moments = Moments(1, 10, second=True)
    for _ in range(50):
        moments.update(np.ones((1, 7, 10), np.float32))
        assert sum(part.nbytes for part in moments._pending) < 1000


def test_they_are_of_the_quantized_input_and_not_of_the_float_one() -> None:
    net = Net((1, 3, 6, 6))
    images = images_of(net, 5)
    model = quantized(net, net.conv(net.op("Relu", [net.conv(net.x, (4, 3, 1, 1))]), (2, 4, 1, 1)), io="float").model
    node = [n for n in model.graph if n.op_type == "Conv"][1]
    (found,) = collect_moments(model, [node], [images[:2], images[2:]], second=False)
    tapped = model.clone()
    tapped.graph.outputs[:] = [n for n in tapped.graph if n.op_type == "Conv"][1].inputs[:1]
    inputs = np.concatenate([run_onnx(ir.to_proto(tapped), {"x": image[None]})[0] for image in images])
    np.testing.assert_allclose(found.mean[0], inputs.mean(axis=(0, 1, 2)), rtol=1e-5)


def test_what_never_varies_has_no_variance_at_all() -> None:
    moments = Moments(1, 3, second=True)
    for _ in range(5):
        moments.update(np.full((1, 7, 3), 0.1, np.float32))
    assert not moments.covariance().any()
    np.testing.assert_allclose(moments.mean, 0.1, rtol=1e-6)


def test_portions_fit_the_memory_and_hold_every_layer_once(monkeypatch) -> None:
    net, x = Net((1, 4, 8, 8)), None
    for size in (1, 3, 3, 1, 1):
        x = net.conv(x or net.x, (4, 4, size, size))
    layers = [node for node in canonical(net, x).graph if node.op_type == "Conv"]
    monkeypatch.setattr(module, "MEMORY", 8 * (36**2 + 2 * 4**2))
    assert [len(portion) for portion in portions(layers, second=True)] == [2, 3]
    assert portions(layers, second=False) == [layers]
    monkeypatch.setattr(module, "MEMORY", 1)
    assert portions(layers, second=True) == [[layer] for layer in layers]


def test_several_portions_quantize_as_well_as_one(monkeypatch) -> None:
    errors = []
    for memory in (2**29, 1):
        monkeypatch.setattr(module, "MEMORY", memory)
        net = Net((4, 3, 8, 8))
        y = net.conv(net.op("Relu", [net.conv(net.x, (16, 3, 3, 3))]), (8, 16, 3, 3))
        model, images = canonical(net, y), images_of(net, 8)
        found = quantize(model, [images], FULL, table=net.pixel_table())
        (expected,), (result,) = (run_onnx(ir.to_proto(m), {"x": images[:4]}) for m in (model, found.model))
        errors.append(float(np.abs(result - expected).mean()))
    assert errors[1] < 1.1 * errors[0]
