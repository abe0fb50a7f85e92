"""Integer weights and biases of a layer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.seeded import many

from edgegap.quantize.moments import Moments
from edgegap.quantize.parameters import Grid
from edgegap.quantize.weights import LinearParameters, compensate, quantize_linear

GRID = Grid(float(np.float32(0.02)), 113)


def layer(seed: int, groups: int = 1, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = np.exp(rng.uniform(-spread, spread, (4 * groups, 1, 1, 1)))
    weight = rng.normal(size=(4 * groups, 3, 3, 2)) * sizes
    return weight.astype(np.float32), rng.normal(size=4 * groups).astype(np.float32)


def real_weight(parameters: LinearParameters) -> np.ndarray:
    return parameters.weight * parameters.weight_scale.astype(np.float64).reshape(-1, 1, 1, 1)


def real_bias(parameters: LinearParameters) -> np.ndarray:
    return parameters.bias * parameters.bias_scale.astype(np.float64)


@many(st.integers(0, 999), st.floats(0, 4))
def test_weights_are_the_nearest_integers_of_their_channel(seed: int, spread: float) -> None:
    weight, bias = layer(seed, spread=spread)
    found = quantize_linear(weight, bias, GRID)
    assert found.weight.dtype == np.int8
    assert found.bias.dtype == np.int32
    assert found.weight_scale.dtype == found.bias_scale.dtype == np.float32
    np.testing.assert_array_equal(np.abs(found.weight.reshape(4, -1).astype(int)).max(axis=1), 127)
    step = found.weight_scale.reshape(-1, 1, 1, 1)
    assert (np.abs(real_weight(found) - weight) <= step * 0.5001).all()


@many(st.integers(0, 999))
def test_a_bias_lies_on_the_accumulators_scale(seed: int) -> None:
    weight, bias = layer(seed)
    found = quantize_linear(weight, bias, GRID)
    np.testing.assert_array_equal(found.bias_scale, np.float32(GRID.scale) * found.weight_scale)
    assert (np.abs(real_bias(found) - bias) <= found.bias_scale * 0.5001).all()


@many(st.floats(1e-30, 1e30), st.floats(1e-9, 1e9), st.floats(1e-6, 1e3))
def test_any_bias_fits_int32(bias: float, weight: float, scale: float) -> None:
    grid = Grid(float(np.float32(scale)), 0)
    weights = np.full((2, 1, 1, 1), weight, np.float32)
    found = quantize_linear(weights, np.array([bias, -bias], np.float32), grid)
    assert np.abs(found.bias.astype(np.int64)).max() <= 2**30 * (1 + 1e-6)
    np.testing.assert_allclose(real_bias(found), [bias, -bias], atol=float(found.bias_scale.max()), rtol=1e-6)


def test_a_channel_without_weights_is_counted_and_keeps_its_bias() -> None:
    weight, bias = layer(0)
    weight[1] = 0
    found = quantize_linear(weight, bias, GRID)
    assert found.dead == 1
    assert not found.weight[1].any()
    assert real_bias(found)[1] == pytest.approx(bias[1], abs=float(found.bias_scale[1]))


def test_a_layer_without_any_weights_is_its_bias() -> None:
    found = quantize_linear(np.zeros((3, 2, 1, 1), np.float32), np.float32([0, 1, -2]), GRID)
    assert found.dead == 3
    np.testing.assert_allclose(real_bias(found), [0, 1, -2], atol=1e-3)


def test_a_channel_a_million_times_smaller_keeps_a_scale_that_runtimes_take() -> None:
    weight, bias = layer(0)
    weight[2] *= 1e-12
    found = quantize_linear(weight, bias, GRID)
    assert found.weight_scale.min() >= found.weight_scale.max() * 2.0**-20 * 0.999


def seen(patches: np.ndarray, *, second: bool = False) -> Moments:
    groups, _, size = patches.shape
    moments = Moments(groups, size, second=second)
    moments.update(patches.astype(np.float32))
    return moments


@many(st.integers(0, 999), st.integers(1, 3), st.booleans())
def test_the_corrected_bias_makes_the_mean_output_that_of_the_float_weights(seed: int, groups: int, second) -> None:
    weight, bias = layer(seed, groups)
    patches = np.random.default_rng(seed + 1).uniform(-2, 2, (groups, 50, 18)).astype(np.float32)
    found = compensate(quantize_linear(weight, bias, GRID), weight, bias, seen(patches, second=second))
    means = patches.mean(axis=1, dtype=np.float64)[np.arange(4 * groups) // 4]
    exact, quantized = ((w.reshape(len(w), -1) * means).sum(axis=1) for w in (weight, real_weight(found)))
    np.testing.assert_allclose(quantized + real_bias(found), exact + bias, atol=float(found.bias_scale.max()))


@many(st.integers(0, 999), st.integers(1, 3))
def test_compensation_keeps_every_scale_and_the_range_of_weights(seed: int, groups: int) -> None:
    weight, bias = layer(seed, groups)
    patches = np.random.default_rng(seed).normal(size=(groups, 40, 18)).cumsum(axis=2)
    nearest = quantize_linear(weight, bias, GRID)
    found = compensate(nearest, weight, bias, seen(patches, second=True))
    np.testing.assert_array_equal(found.weight_scale, nearest.weight_scale)
    np.testing.assert_array_equal(found.bias_scale, nearest.bias_scale)
    assert found.weight.shape == weight.shape
    assert np.abs(found.weight.astype(int)).max() <= 127


def test_means_alone_leave_the_weights_alone() -> None:
    weight, bias = layer(0)
    nearest = quantize_linear(weight, bias, GRID)
    found = compensate(nearest, weight, bias, seen(np.full((1, 5, 18), 2.0)))
    np.testing.assert_array_equal(found.weight, nearest.weight)
    assert (found.bias != nearest.bias).any()


def test_weights_too_small_for_a_float32_scale_are_zero() -> None:
    """A LeakyRelu of slope 1e-45, found by hypothesis, divided by a scale of zero."""
    weight = np.array([1e-45, 1.0], np.float32).reshape(2, 1, 1, 1)
    found = quantize_linear(weight, np.zeros(2, np.float32), GRID)
    assert found.weight.ravel().tolist() == [0, 127]
    assert found.dead == 1
    tiny = quantize_linear(weight[:1], np.zeros(1, np.float32), GRID)
    assert (tiny.weight == 0).all()
    assert np.isfinite(tiny.weight_scale).all()
