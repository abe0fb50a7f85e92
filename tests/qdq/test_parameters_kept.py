"""Over a range of parameters: a linear layer gives the integers that the file gives, in both runtimes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from .files import QdqNet, images_of, imported

scales = st.floats(0.002, 0.2)
zero_points = st.integers(0, 255)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    grids=st.tuples(scales, zero_points, scales, scales, zero_points),
    weight=st.tuples(st.sampled_from([np.int8, np.uint8]), st.booleans()),
    bias=st.integers(0, 2**16),
    seed=st.integers(0, 2**16),
)
def test_every_grid_and_every_integer_of_a_linear_network_is_kept(grids, weight, bias: int, seed: int) -> None:
    s_x, z_x, s_h, s_y, z_y = grids
    dtype, per_channel = weight
    net = QdqNet((1, 3, 8, 8), seed=seed)
    x = net.pair(net.x, s_x, z_x)
    y = net.pair(net.op("Relu", [_layer(net, x, (8, 3, 3, 3), s_x, dtype, bias, per_channel=per_channel)]), s_h, 0)
    y = net.pair(_layer(net, y, (8, 8, 1, 1), s_h, dtype, bias, per_channel=per_channel), s_y, z_y)
    got = imported(net.file(y), images_of(net, 2), None, least_values=1)
    assert np.array_equal(got.ours, got.file)
    assert np.array_equal(got.ours, got.theirs)


def _layer(
    net: QdqNet, x: str, shape: tuple[int, ...], step: float, dtype: type, largest: int, *, per_channel: bool
) -> str:
    """A Conv with an integer weight and an integer bias at the accumulator's scale."""
    middle = 128 if dtype == np.uint8 else 0
    scale = net.rng.uniform(0.001, 0.004, shape[0] if per_channel else ()).astype(np.float32)
    integers = (net.rng.integers(-127, 128, shape) + middle).astype(dtype)
    weight = [net.constant(integers), *net.parameters(scale, np.full(scale.shape, middle), dtype)]
    accumulator = np.float32(step) * scale
    biases = net.rng.integers(-largest, largest + 1, shape[0]).astype(np.int32)
    bias = [net.constant(biases), *net.parameters(accumulator, np.zeros(scale.shape), np.int32)]
    return net.op("Conv", [x, *(net.op("DequantizeLinear", part, axis=0) for part in (weight, bias))])
