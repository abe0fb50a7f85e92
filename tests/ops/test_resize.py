"""Resize by repetition. Bound: 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tflite.runtimes import operators

from edgegap.errors import UnsupportedOpError

from .harness import Net, check

TORCH = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def resized(net: Net, x: str, scales: tuple[float, float], **attributes: Any) -> str:
    return net.op("Resize", [x, "", net.constant(np.float32([1, 1, *scales]))], **attributes)


@pytest.mark.parametrize("scales", [(2, 2), (3, 1), (1, 4)])
@pytest.mark.parametrize(
    "attributes", [TORCH, {"mode": "nearest", "coordinate_transformation_mode": "half_pixel"}, {"mode": "nearest"}]
)
def test_a_repetition_is_exact(scales: tuple[int, int], attributes: dict[str, str]) -> None:
    net = Net()
    y = resized(net, net.op("Relu", [net.signed_map(4)]), scales, **attributes)
    checked = check(net, net.op("Add", [y, net.conv(y, (4, 4, 3, 3), pads=[1, 1, 1, 1])]), outside=OUTSIDE)
    assert "TRANSPOSE" not in operators(checked.int8_file)


OUTSIDE = ["RESIZE_NEAREST_NEIGHBOR"]
"""XNNPACK takes no such op."""


def test_of_sizes_and_of_the_input_it_is_exact() -> None:
    net = Net()
    y = net.op("Resize", [net.x, "", "", net.constant(np.array([2, 3, 18, 24], np.int64))], **TORCH)
    check(net, net.conv(y, (4, 3, 2, 2)), outside=OUTSIDE)


def test_to_the_same_size_it_is_gone() -> None:
    net = Net()
    checked = check(net, resized(net, net.signed_map(4), (1, 1), **TORCH))
    assert checked.ops() == ["Conv"]


@pytest.mark.parametrize(
    ("scales", "attributes", "what"),
    [
        ((2, 2), {"mode": "linear"}, "mode linear"),
        ((0.5, 0.5), {"mode": "nearest"}, r"\[2, 4, 8, 8\] to \[2, 4, 4, 4\]"),
        ((1.5, 1.5), {"mode": "nearest"}, r"to \[2, 4, 12, 12\]"),
        ((3, 3), {"mode": "nearest", "coordinate_transformation_mode": "align_corners"}, "not those of a repetition"),
        ((2, 2), TORCH | {"nearest_mode": "ceil"}, "not those of a repetition"),
    ],
)
def test_another_resize_is_refused(scales: tuple[float, float], attributes: dict[str, str], what: str) -> None:
    net = Net((2, 3, 8, 8))
    with pytest.raises(UnsupportedOpError, match=what):
        check(net, resized(net, net.signed_map(4), scales, **attributes))
