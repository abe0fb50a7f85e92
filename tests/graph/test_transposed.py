"""ConvTranspose and bilinear Resize become a Conv of float weights, which a quantized file must not get."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.errors import UnsupportedOpError
from edgegap.graph.bilinear import rewrite_bilinear
from edgegap.graph.transposed import rewrite_transposed_convolutions

from .models import normal, ops, passed, ready

QUANTIZED = "q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z)"
GRID = {"s": np.float32(0.1), "z": np.uint8(128)}


def test_phases_are_channels_in_order() -> None:
    body = "y = ConvTranspose<strides=[2,3], pads=[1,0,0,2], group=2>(x, w, b)"
    model = passed(rewrite_transposed_convolutions, ready(body, w=normal(4, 3, 3, 4), b=normal(6)))
    assert ops(model) == ["Conv", "Reshape", "Transpose", "Reshape", "Slice", "Slice"]


def test_padding_of_more_than_the_kernel_is_cropped() -> None:
    body = "y = ConvTranspose<strides=[2,2], pads=[3,3,3,3]>(x, w)"
    passed(rewrite_transposed_convolutions, ready(body, w=normal(4, 3, 2, 2)))


def test_a_bilinear_resize_pads_by_the_edge() -> None:
    model = ready('y = Resize<mode="linear">(x,,s)', s=np.float32([1, 1, 2, 1]))
    assert ops(passed(rewrite_bilinear, model)) == ["Pad", "Conv", "Reshape", "Transpose", "Reshape"]


def test_a_transposed_convolution_in_a_quantized_file_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="quantized file") as refused:
        rewrite_transposed_convolutions(ready(f"{QUANTIZED} y = ConvTranspose(d, w)", w=normal(4, 3, 2, 2), **GRID))
    assert "ConvTranspose" in str(refused.value.where)


def test_a_bilinear_resize_in_a_quantized_file_is_refused() -> None:
    body = f'{QUANTIZED} y = Resize<mode="linear">(d,,r)'
    with pytest.raises(UnsupportedOpError, match="quantized file"):
        rewrite_bilinear(ready(body, r=np.float32([1, 1, 2, 2]), **GRID))
