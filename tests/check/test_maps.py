"""Class confidence maps of nets whose maps are known, and how alike two maps are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from onnx import numpy_helper
from ops.harness import Net

from edgegap.check.maps import ClassMaps, class_maps, compare_maps, float_maps, no_maps, similarity
from edgegap.progress import silent

from .gap_nets import Twins, save_twins


def average(net: Net, maps: str) -> str:
    return net.op("Flatten", [net.op("GlobalAveragePool", [maps])])


def maps_of(twins: Twins, head: str) -> ClassMaps:
    return class_maps(twins.network, twins.artifact, head, twins.images, twins.input_grid, twins.output_grid, silent)


def channels(net: Net, weight: NDArray[np.floating]) -> str:
    """A pointwise convolution of the input: class k is a known mix of its channels."""
    inputs = [net.x, net.constant(weight.reshape(*weight.shape, 1, 1), np.float32)]
    return net.op("Conv", inputs)


@pytest.mark.parametrize("io", ["float", "int8"])
def test_maps_of_a_gap_head_are_the_channels_that_its_classes_stand_for(tmp_path: Path, io) -> None:
    net = Net((1, 3, 9, 8))
    twins = save_twins(net, average(net, channels(net, np.eye(3)[[2, 0, 1]])), tmp_path, io=io)
    maps = maps_of(twins, "gap")
    values = twins.float_values()[:, [2, 0, 1]]
    np.testing.assert_array_equal(maps.classes, values.mean(axis=(2, 3)).argmax(axis=1))
    assert len(set(maps.classes)) > 1, "every image has the same class, so that the test says little"
    expected = values[np.arange(len(values)), maps.classes]
    np.testing.assert_allclose(maps.float_maps, expected, atol=1e-5)
    np.testing.assert_allclose(maps.float_maps.mean(axis=(1, 2)), maps.float_logits.max(axis=1), atol=1e-5)
    # An input step, half a map step, and the weight 127/127.
    assert np.abs(maps.int8_maps - expected).max() < 0.03
    assert np.abs(maps.int8_logits - maps.float_logits).max() < 0.03


@pytest.mark.parametrize("io", ["float", "int8"])
def test_maps_of_a_linear_head_are_the_features_weighted_for_the_class(tmp_path: Path, io) -> None:
    net = Net((1, 3, 9, 8), seed=4)
    features = net.op("Relu", [net.conv(net.x, (8, 3, 3, 3))], "features")
    twins = save_twins(net, net.gemm(average(net, features), 5, 8), tmp_path, io=io)
    maps = maps_of(twins, "gap-linear")
    bias = {t.name: numpy_helper.to_array(t) for t in onnx.load(twins.network).graph.initializer}
    gemm = onnx.load(twins.network).graph.node[-1]
    offset = bias[gemm.input[2]][maps.classes]
    scores = maps.float_logits[np.arange(len(offset)), maps.classes]
    assert maps.float_maps.shape == (12, 7, 6)
    np.testing.assert_allclose(maps.float_maps.mean(axis=(1, 2)) + offset, scores, atol=1e-4)
    found = compare_maps(maps, twins.images.names, None)
    assert found.pearson > 0.999
    assert found.iou > 0.8
    scale = np.abs(maps.float_maps).max()
    assert 0 < np.abs(maps.int8_maps - maps.float_maps).max() < 0.05 * scale


@pytest.mark.parametrize("head", ["gap", "gap-linear"])
def test_maps_of_the_float_network_alone_are_those_beside_int8(tmp_path: Path, head: str) -> None:
    net = Net((1, 3, 9, 8), seed=4)
    features = net.op("Relu", [net.conv(net.x, (5, 3, 3, 3))])
    scores = average(net, features) if head == "gap" else net.gemm(average(net, features), 5, 5)
    twins = save_twins(net, scores, tmp_path)
    both, alone = maps_of(twins, head), float_maps(twins.network, head, twins.images, silent)
    for name in ("classes", "float_maps", "float_logits"):
        np.testing.assert_array_equal(getattr(both, name), getattr(alone, name))


def test_a_head_without_an_average_gets_a_sentence(tmp_path: Path) -> None:
    net = Net((1, 3, 4, 4))
    twins = save_twins(net, net.gemm(net.op("Flatten", [net.signed_map(4)]), 5, 64), tmp_path)
    for head, words in (("fc", "a fully connected layer without a global average"), ("none", "no global average")):
        refused = no_maps(twins.network, head)
        assert refused is not None
        assert words in refused.why


def test_maps_of_one_position_get_a_sentence(tmp_path: Path) -> None:
    net = Net((1, 3, 3, 3))
    twins = save_twins(net, average(net, net.conv(net.x, (4, 3, 3, 3))), tmp_path)
    refused = no_maps(twins.network, "gap")
    assert refused is not None
    assert "1x1" in refused.why


def test_a_map_is_like_itself_and_unlike_its_negative() -> None:
    x = np.random.default_rng(0).normal(size=(8, 8))
    assert similarity(x, 3 * x + 1) == pytest.approx((1, 1))
    assert similarity(x, -x) == pytest.approx((-1, 0))


def test_top_fifths_that_share_half_their_positions_overlap_by_a_third() -> None:
    a, b = np.zeros((2, 10)), np.zeros((2, 10))
    a[0, :4], b[0, 2:6] = 1, 1
    assert similarity(a, b)[1] == pytest.approx(2 / 6)


def test_ties_belong_to_the_top_together_and_the_least_value_never_does() -> None:
    a = np.zeros((2, 10))
    a[:, 0] = 2
    a[:, 1:4] = 1
    b = np.zeros((2, 10))
    b[:, :4] = 1
    # a's top 4 of 20 are its 2s and, tied for the rest, all of its 1s; b has no more than its 1s.
    assert similarity(a, b)[1] == 1
    b[0, 9] = 5
    assert similarity(a, b)[1] == pytest.approx(8 / 9)


def test_constant_maps_are_alike_and_like_nothing_else() -> None:
    flat, noisy = np.full((4, 4), 7.0), np.full((4, 4), 7.0)
    noisy[0, 0] += 1e-7
    x = np.arange(16.0).reshape(4, 4)
    assert similarity(flat, np.zeros((4, 4))) == (1, 1)
    assert similarity(flat, noisy) == (1, 1)
    assert similarity(flat, x) == similarity(x, flat) == (0, 0)


@given(
    arrays(np.float32, (5, 6), elements=st.floats(-8, 8, width=16)),
    arrays(np.float32, (5, 6), elements=st.floats(-8, 8, width=16)),
)
def test_similarity_is_symmetric_and_in_its_range(a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    pearson, iou = similarity(a, b)
    assert similarity(b, a) == pytest.approx((pearson, iou))
    assert -1 <= round(pearson, 9) <= 1
    assert 0 <= iou <= 1


def test_the_images_whose_maps_moved_most_come_first_by_name() -> None:
    rng = np.random.default_rng(0)
    floats = rng.normal(size=(20, 6, 6)).astype(np.float32)
    int8 = floats + np.linspace(0, 2, 20, dtype=np.float32)[::-1, None, None] * rng.normal(size=(20, 6, 6)).astype("f4")
    logits = np.eye(20)[:, :3]
    maps = ClassMaps(np.arange(20) % 3, floats, logits, int8, logits)
    found = compare_maps(maps, tuple(f"image {k}" for k in range(20)), ("cat", "dog", "<b>"))
    figures = [each.pearson for each in found.moved]
    assert figures == sorted(figures)
    assert found.pearson == pytest.approx(np.mean(figures))
    assert found.moved[-1].image == "image 19"
    record = found.to_json()
    assert len(record["moved"]) == 8
    assert set(record["moved"][0]) == {"image", "class", "pearson", "iou"}
    assert record["n"] == 20
