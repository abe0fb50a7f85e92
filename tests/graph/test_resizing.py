"""Resize: nearest neighbour in one spelling, or as slices; everything else refused."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from edgegap.errors import UnsupportedOpError
from edgegap.graph.resizing import _COORDINATES, _ROUNDINGS, _rows, normalize_resizes

from .models import normal, only, ops, passed, ready

NEAR = 'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"'
REGION = np.zeros(0, np.float32)


def resize(scales: list[float], attributes: str = NEAR, *, region: bool = False) -> object:
    body = f"y = Resize<{attributes}>(x,{'roi' if region else ''},s)"
    more = {"roi": REGION} if region else {}
    return ready(body, s=np.float32(scales), **more)


def test_a_repetition_is_written_with_every_input() -> None:
    model = passed(normalize_resizes, resize([1, 1, 2, 3]))
    assert [value.const_value is not None for value in only(model, "Resize").inputs[1:]] == [True, True]


def test_one_that_is_written_so_stays() -> None:
    passed(normalize_resizes, resize([1, 1, 2, 2], region=True), changes=False)


@pytest.mark.parametrize("scale", [2.1, 2.0001])
@pytest.mark.parametrize("region", [False, True])
def test_a_scale_that_is_no_whole_number_is_not_taken_for_one(scale: float, region: bool) -> None:
    """Floor of 6 * 2.1 is 12, and row 10 is 4, where a repetition has 5."""
    model = passed(normalize_resizes, resize([1, 1, scale, scale], region=region))
    assert set(ops(model)) == {"Slice", "Concat"}


@pytest.mark.parametrize("scales", [[1, 2, 2, 2], [2, 1, 2, 2]])
def test_what_an_empty_region_comes_with_is_looked_at_too(scales: list[float]) -> None:
    with pytest.raises(UnsupportedOpError, match="resizes"):
        normalize_resizes(resize(scales, region=True))


def test_a_ratio_that_every_kernel_finds_is_one_op() -> None:
    model = passed(normalize_resizes, resize([1, 1, 7.01 / 6, 2]))
    assert ops(model) == ["Resize"]
    assert tuple(model.graph.outputs[0].shape) == (2, 4, 7, 12)


def test_a_scale_that_gives_one_size_in_float32_and_another_in_float64_is_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="may be 6 or one more"):
        normalize_resizes(resize([1, 1, 7 / 6, 2]))


@pytest.mark.parametrize("mode", _COORDINATES)
@pytest.mark.parametrize("rounding", _ROUNDINGS)
def test_rows_are_those_of_onnx_runtime(mode: str, rounding: str) -> None:
    """For which a coordinate within 1e-6 of a half is one: row 9 of 14 to 19, row 1 of 7 to 2."""
    attributes = f'mode="nearest", coordinate_transformation_mode="{mode}", nearest_mode="{rounding}"'
    body = f"y = Resize<{attributes}, axes=[2]>(x,,,s)"
    proto = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 18]> r (float[1,1,H,1] x, int64[1] s) => (float[1,1,K,1] y) {{ {body} }}'
    )
    session = ort.InferenceSession(proto.SerializeToString())
    for size in (1, 7, 14, 22):
        x = np.arange(size, dtype=np.float32).reshape(1, 1, size, 1)
        for new in range(1, 40):
            (theirs,) = session.run(None, {"x": x, "s": np.array([new])})
            model = ready(body, x=f"float[1,1,{size},1]", s=np.array([new]))
            np.testing.assert_array_equal(_rows(only(model, "Resize"), 2), theirs.ravel(), err_msg=f"{size} to {new}")


def test_scales_of_some_axes_are_written_for_all() -> None:
    model = passed(normalize_resizes, resize([2, 2], f"{NEAR}, axes=[2,3]", region=True))
    assert only(model, "Resize").inputs[2].const_value.numpy().tolist() == [1, 1, 2, 2]


def test_to_the_same_size_it_is_gone() -> None:
    model = ready(
        f"a = Relu(x) b = Resize<{NEAR}>(a,,s) y = Conv(b, w)", s=np.float32([1, 1, 1, 1]), w=normal(5, 4, 1, 1)
    )
    assert ops(passed(normalize_resizes, model)) == ["Relu", "Conv"]
