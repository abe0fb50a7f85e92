"""Integer weights and biases of a layer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.seeded import many

from edgegap.quantize.parameters import Grid
from edgegap.quantize.weights import LinearParameters, quantize_linear

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
    found = quantize_linear(weight, bias, GRID, input_mean=None)
    assert found.weight.dtype == np.int8
    assert found.bias.dtype == np.int32
    assert found.weight_scale.dtype == found.bias_scale.dtype == np.float32
    np.testing.assert_array_equal(np.abs(found.weight.reshape(4, -1).astype(int)).max(axis=1), 127)
    step = found.weight_scale.reshape(-1, 1, 1, 1)
    assert (np.abs(real_weight(found) - weight) <= step * 0.5001).all()


@many(st.integers(0, 999))
def test_a_bias_lies_on_the_accumulators_scale(seed: int) -> None:
    weight, bias = layer(seed)
    found = quantize_linear(weight, bias, GRID, input_mean=None)
    np.testing.assert_array_equal(found.bias_scale, np.float32(GRID.scale) * found.weight_scale)
    assert (np.abs(real_bias(found) - bias) <= found.bias_scale * 0.5001).all()


@many(st.floats(1e-30, 1e30), st.floats(1e-9, 1e9), st.floats(1e-6, 1e3))
def test_any_bias_fits_int32(bias: float, weight: float, scale: float) -> None:
    grid = Grid(float(np.float32(scale)), 0)
    weights = np.full((2, 1, 1, 1), weight, np.float32)
    found = quantize_linear(weights, np.array([bias, -bias], np.float32), grid, input_mean=None)
    assert np.abs(found.bias.astype(np.int64)).max() <= 2**30 * (1 + 1e-6)
    np.testing.assert_allclose(real_bias(found), [bias, -bias], atol=float(found.bias_scale.max()), rtol=1e-6)


def test_a_channel_without_weights_is_counted_and_keeps_its_bias() -> None:
    weight, bias = layer(0)
    weight[1] = 0
    found = quantize_linear(weight, bias, GRID, input_mean=None)
    assert found.dead == 1
    assert not found.weight[1].any()
    assert real_bias(found)[1] == pytest.approx(bias[1], abs=float(found.bias_scale[1]))


def test_a_layer_without_any_weights_is_its_bias() -> None:
    found = quantize_linear(np.zeros((3, 2, 1, 1), np.float32), np.float32([0, 1, -2]), GRID, input_mean=None)
    assert found.dead == 3
    np.testing.assert_allclose(real_bias(found), [0, 1, -2], atol=1e-3)


def test_a_channel_a_million_times_smaller_keeps_a_scale_that_runtimes_take() -> None:
    weight, bias = layer(0)
    weight[2] *= 1e-12
    found = quantize_linear(weight, bias, GRID, input_mean=None)
    assert found.weight_scale.min() >= found.weight_scale.max() * 2.0**-20 * 0.999


@many(st.integers(0, 999), st.integers(1, 3))
def test_the_corrected_bias_makes_the_mean_output_that_of_the_float_weights(seed: int, groups: int) -> None:
    """By brute force: a map that is its channels' means, convolved with either weights."""
    weight, bias = layer(seed, groups)
    mean = np.random.default_rng(seed + 1).uniform(-2, 2, 3 * groups)
    found = quantize_linear(weight, bias, GRID, input_mean=mean, groups=groups)
    exact, quantized = np.zeros(4 * groups), np.zeros(4 * groups)
    for output in range(4 * groups):
        for k in range(3):
            x = mean[output // 4 * 3 + k]
            exact[output] += weight[output, k].astype(np.float64).sum() * x
            quantized[output] += real_weight(found)[output, k].sum() * x
    np.testing.assert_allclose(quantized + real_bias(found), exact + bias, atol=float(found.bias_scale.max()))


def test_without_means_the_bias_is_left_alone() -> None:
    weight, bias = layer(0)
    plain = quantize_linear(weight, bias, GRID, input_mean=None)
    corrected = quantize_linear(weight, bias, GRID, input_mean=np.full(3, 2.0))
    assert (plain.bias != corrected.bias).any()
    np.testing.assert_array_equal(plain.weight, corrected.weight)
