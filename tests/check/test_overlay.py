"""The picture of an image and its maps."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.check.overlay import Caption, draw

CAPTIONS = (Caption("image", ""), Caption("float: 3", "90 %"), Caption("int8: 3", "80 %"))
PIXELS = np.zeros((8, 8, 3), np.uint8)


def panels(float_map: np.ndarray, int8_map: np.ndarray, pixels: np.ndarray = PIXELS) -> list[np.ndarray]:
    """The three panels of 256 x 256."""
    sheet = np.asarray(draw(pixels, (float_map, int8_map), CAPTIONS, "an image"))
    return [sheet[41 : 41 + 256, left : left + 256] for left in (14, 284, 554)]


def test_a_small_image_is_enlarged_in_squares() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    image = panels(np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32), pixels)[0]
    np.testing.assert_array_equal(image, pixels.repeat(32, axis=0).repeat(32, axis=1))


def test_equal_maps_look_equal() -> None:
    x = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    _, first, second = panels(x, x)
    np.testing.assert_array_equal(first, second)
    assert len(np.unique(first)) > 50


def test_both_maps_share_one_scale_of_colours() -> None:
    ramp = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    _, full, half = panels(ramp, ramp / 2)
    assert half.mean() < full.mean()
    _, low, high = panels(np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32))
    assert len(np.unique(low.reshape(-1, 3), axis=0)) == len(np.unique(high.reshape(-1, 3), axis=0)) == 1
    assert low.mean() < 40
    assert high.mean() > 120


def test_two_constant_maps_of_one_value_are_drawn() -> None:
    flat = np.full((4, 4), 3, np.float32)
    _, first, second = panels(flat, flat)
    np.testing.assert_array_equal(first, second)


def test_a_map_alone_is_drawn_as_beside_another_in_a_narrower_picture() -> None:
    x = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    one = np.asarray(draw(PIXELS, [x], CAPTIONS[:2], ""))
    np.testing.assert_array_equal(one[41 : 41 + 256, 284 : 284 + 256], panels(x, x)[1])
    assert one.shape[1] == np.asarray(draw(PIXELS, [x, x], CAPTIONS, "")).shape[1] - 270


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (32, 32), (96, 64), (224, 224), (500, 375)])
def test_images_of_any_size_give_a_picture_of_a_size_to_look_at(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    sheet = draw(np.zeros((*shape, 3), np.uint8), (x, x), CAPTIONS, "a heading" * 40)
    assert 600 < sheet.width < 1700
    assert sheet.mode == "RGB"


def test_long_and_strange_names_are_shortened_and_not_an_error() -> None:
    captions = (Caption("i" * 900, "\n\t"), Caption("名前 <script>", ""), Caption("", "x" * 900, alarm=True))
    x = np.eye(4, dtype=np.float32)
    plain = draw(PIXELS, (x, x), CAPTIONS, "")
    assert draw(PIXELS, (x, x), captions, "…" * 900).size == plain.size
