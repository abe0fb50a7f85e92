"""Nearest-neighbour Resize by any ratio. Bound: 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import strategies as st
from tflite.runtimes import operators

from edgegap.errors import UnsupportedOpError
from edgegap.graph.canonical import canonicalize
from edgegap.graph.nodes import constant, shape_of

from .harness import Net, check
from .seeded import seeded

TORCH = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}

OUTSIDE = ["RESIZE_NEAREST_NEIGHBOR"]
"""XNNPACK takes no such op."""


def resized(net: Net, x: str, scales: tuple[float, float], **attributes: Any) -> str:
    return net.op("Resize", [x, "", net.constant(np.float32([1, 1, *scales]))], **attributes)


def sized(net: Net, x: str, *sizes: int, **attributes: Any) -> str:
    return net.op("Resize", [x, "", "", net.constant(np.array(sizes, np.int64))], **attributes)


@pytest.mark.parametrize("scales", [(2, 2), (3, 1), (1, 4)])
@pytest.mark.parametrize(
    "attributes", [TORCH, {"mode": "nearest", "coordinate_transformation_mode": "half_pixel"}, {"mode": "nearest"}]
)
def test_a_repetition_is_exact(scales: tuple[int, int], attributes: dict[str, str]) -> None:
    net = Net()
    y = resized(net, net.op("Relu", [net.signed_map(4)]), scales, **attributes)
    checked = check(net, net.op("Add", [y, net.conv(y, (4, 4, 3, 3), pads=[1, 1, 1, 1])]), outside=OUTSIDE)
    assert "TRANSPOSE" not in operators(checked.int8_file)


def test_of_sizes_and_of_the_input_it_is_exact() -> None:
    net = Net()
    y = sized(net, net.x, 2, 3, 18, 24, **TORCH)
    check(net, net.conv(y, (4, 3, 2, 2)), outside=OUTSIDE)


def test_to_the_same_size_it_is_gone() -> None:
    net = Net()
    checked = check(net, resized(net, net.signed_map(4), (1, 1), **TORCH))
    assert checked.ops() == ["Conv"]


def test_from_three_to_seven_it_is_one_op() -> None:
    """The gate of GhostNetV2 on an image of 224 pixels."""
    net = Net((2, 3, 3, 3))
    checked = check(net, sized(net, net.signed_map(4), 2, 4, 7, 7, **TORCH), outside=OUTSIDE)
    assert checked.ops() == ["Conv", "Resize"]


@pytest.mark.parametrize("mode", ["asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners"])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@seeded(4)(st.tuples(st.integers(1, 14), st.integers(1, 14)), st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_from_any_size_to_any_other_it_is_exact(mode: str, rounding: str, sizes, new) -> None:
    net = Net((2, 3, *sizes))
    attributes = {"mode": "nearest", "coordinate_transformation_mode": mode, "nearest_mode": rounding}
    y = sized(net, net.signed_map(4), 2, 4, *new, **attributes)
    check(net, y, least_values=2, outside=left_to_the_interpreter(net, y))


def left_to_the_interpreter(net: Net, output: str) -> list[str]:
    """What XNNPACK does not take: Resize, every k-th row from another than the first, more than five joined."""
    found = []
    for node in canonicalize(ir.from_proto(net.in_opset(output, 18)), net.shape).graph:
        if node.op_type == "Resize":
            found += OUTSIDE
        elif node.op_type == "Slice":
            starts, ends, axes, steps = (constant(value) for value in node.inputs[1:])
            whole = not starts.any() and all(
                shape_of(node.inputs[0])[axis] == end for axis, end in zip(axes, ends, strict=True)
            )
            found += [] if whole or steps.max() == 1 else ["STRIDED_SLICE"]
        elif node.op_type == "Concat" and len(node.inputs) > 5:
            found.append("CONCATENATION")
    return found


@pytest.mark.parametrize(("size", "new"), [(14, 2), (14, 46), (6, 10), (21, 24)])
def test_where_the_kernels_part_rows_are_taken_one_by_one(size: int, new: int) -> None:
    net = Net((2, 3, size, 1))
    y = sized(net, net.signed_map(2), 2, 2, new, 1, **TORCH)
    checked = check(net, y, least_values=4, outside=left_to_the_interpreter(net, y))
    assert "Resize" not in checked.ops()


def test_every_second_row_and_column_is_a_depthwise_convolution() -> None:
    net = Net((2, 3, 8, 6))
    checked = check(net, resized(net, net.signed_map(4), (0.5, 0.5), **TORCH))
    assert checked.arithmetic() == ["Conv", "Conv"]


@pytest.mark.parametrize(
    ("attributes", "what"),
    [
        ({"mode": "cubic"}, "mode cubic"),
        ({"mode": "linear", "coordinate_transformation_mode": "align_corners"}, "mode linear"),
        ({"mode": "nearest", "coordinate_transformation_mode": "half_pixel_symmetric"}, "coordinates are half_pixel_s"),
    ],
)
def test_another_resize_is_refused_with_a_way_out(attributes: dict[str, str], what: str) -> None:
    net = Net((2, 3, 8, 8))
    with pytest.raises(UnsupportedOpError, match=what) as refused:
        check(net, resized(net, net.signed_map(4), (2, 2), **attributes), opset=19)
    assert refused.value.hint
