"""Resize: a repetition in one spelling, and everything else refused."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.errors import UnsupportedOpError
from edgegap.graph.resizing import normalize_resizes

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
    with pytest.raises(UnsupportedOpError, match="not those of a repetition"):
        normalize_resizes(resize([1, 1, scale, scale], region=region))


@pytest.mark.parametrize("scales", [[1, 2, 2, 2], [2, 1, 2, 2], [1, 1, 0.5, 0.5], [1, 1, 1.5, 1.5]])
def test_what_an_empty_region_comes_with_is_looked_at_too(scales: list[float]) -> None:
    with pytest.raises(UnsupportedOpError, match="resizes"):
        normalize_resizes(resize(scales, region=True))


def test_scales_of_some_axes_are_written_for_all() -> None:
    model = passed(normalize_resizes, resize([2, 2], f"{NEAR}, axes=[2,3]", region=True))
    assert only(model, "Resize").inputs[2].const_value.numpy().tolist() == [1, 1, 2, 2]


def test_to_the_same_size_it_is_gone() -> None:
    model = ready(
        f"a = Relu(x) b = Resize<{NEAR}>(a,,s) y = Conv(b, w)", s=np.float32([1, 1, 1, 1]), w=normal(5, 4, 1, 1)
    )
    assert ops(passed(normalize_resizes, model)) == ["Relu", "Conv"]
