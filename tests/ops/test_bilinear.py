"""Bilinear Resize by whole numbers, as a depthwise Conv of all phases. Bound: 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError

from .harness import Net, check
from .seeded import few


def resized(net: Net, x: str, scales: tuple[float, float], coordinates: str) -> str:
    inputs = [x, "", net.constant(np.float32([1, 1, *scales]))]
    return net.op("Resize", inputs, mode="linear", coordinate_transformation_mode=coordinates)


@pytest.mark.parametrize("coordinates", ["half_pixel", "pytorch_half_pixel", "asymmetric"])
@few(st.tuples(st.integers(1, 6), st.integers(1, 6)), st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_by_any_whole_numbers_it_is_exact(coordinates: str, sizes, factors) -> None:
    net = Net((2, 3, *sizes))
    x = net.signed_map(4)
    check(net, resized(net, x, factors, coordinates), of=[x], least_values=2)


def test_of_sizes_and_of_the_input_it_is_exact() -> None:
    net = Net((2, 3, 5, 4))
    sizes = net.constant(np.array([2, 3, 10, 8], np.int64))
    y = net.op("Resize", [net.x, "", "", sizes], mode="linear", coordinate_transformation_mode="half_pixel")
    check(net, net.conv(y, (4, 3, 3, 3)))


def test_to_the_same_size_it_is_gone() -> None:
    net = Net()
    assert check(net, resized(net, net.signed_map(4), (1, 1), "half_pixel")).ops() == ["Conv"]


@pytest.mark.parametrize(
    ("scales", "coordinates"), [((2, 2), "align_corners"), ((1.5, 1.5), "half_pixel"), ((0.5, 0.5), "half_pixel")]
)
def test_another_is_refused_with_a_way_out(scales: tuple[float, float], coordinates: str) -> None:
    net = Net((2, 3, 8, 8))
    with pytest.raises(UnsupportedOpError, match="mode linear") as refused:
        check(net, resized(net, net.signed_map(4), scales, coordinates))
    assert "by a whole number" in str(refused.value.hint)
