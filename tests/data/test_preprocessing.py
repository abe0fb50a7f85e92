"""Preprocessing of images: sizes, crops, channels and the table of values."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from edgegap.data import PRESETS, Preprocessing
from edgegap.errors import DataError, SettingsError

finite = st.floats(-1e3, 1e3, allow_nan=False)
nonzero = finite.filter(lambda value: abs(value) > 1e-6)


@st.composite
def preprocessings(draw: st.DrawFn) -> tuple[Preprocessing, int]:
    channels = draw(st.sampled_from(["rgb", "bgr", "grey", None]))
    count = 1 if channels == "grey" else 3
    lengths = st.sampled_from([1, count])
    mean = draw(lengths.flatmap(lambda n: st.tuples(*[finite] * n)))
    std = draw(lengths.flatmap(lambda n: st.tuples(*[nonzero] * n)))
    return Preprocessing(channels=channels, scale=draw(nonzero), mean=mean, std=std), count


def value(preprocessing: Preprocessing, pixel: int, channel: int) -> float:
    mean, std = preprocessing.mean, preprocessing.std
    return (pixel * preprocessing.scale - mean[channel % len(mean)]) / std[channel % len(std)]


@given(preprocessings())
def test_the_table_is_the_formula_to_one_ulp(case: tuple[Preprocessing, int]) -> None:
    preprocessing, channels = case
    table = preprocessing.table(channels)
    direct = np.array([[value(preprocessing, p, c) for p in range(256)] for c in range(channels)])
    assert table.dtype == np.float32
    assert table.shape == (channels, 256)
    assert (np.abs(table - direct) <= np.spacing(np.abs(direct).astype(np.float32))).all()


@given(preprocessings(), st.data())
def test_apply_is_the_formula_for_each_pixel(case: tuple[Preprocessing, int], data: st.DataObject) -> None:
    preprocessing, channels = case
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.just(channels)))
    pixels = data.draw(hnp.arrays(np.uint8, shape))
    values = preprocessing.apply(pixels)
    assert values.dtype == np.float32
    assert values.shape == (shape[0], channels, shape[1], shape[2])
    for n, y, x, c in np.ndindex(*shape):
        assert values[n, c, y, x] == np.float32(value(preprocessing, int(pixels[n, y, x, c]), c))


@given(preprocessings())
def test_a_record_survives_json(case: tuple[Preprocessing, int]) -> None:
    assert Preprocessing.from_json(json.loads(json.dumps(case[0].to_json()))) == case[0]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    assert Preprocessing.from_json(json.loads(json.dumps(PRESETS[name].to_json()))) == PRESETS[name]


def test_presets_give_the_known_values() -> None:
    assert PRESETS["raw"].table(1)[0].tolist() == list(range(256))
    assert PRESETS["unit"].table(1)[0, [0, 255]].tolist() == [0, 1]
    # torchvision: ToTensor, Normalize
    assert PRESETS["imagenet"].table(3)[:, 255] == pytest.approx([2.2489083, 2.4285715, 2.64], abs=1e-6)
    assert PRESETS["cifar10"].table(3)[:, 0] == pytest.approx([-2.4290657, -2.4182548, -2.2213930], abs=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "resized"),
    [
        (375, 500, (256, 341)),
        (500, 375, (341, 256)),
        (227, 227, (256, 256)),
        (256, 300, (256, 300)),
        (8, 5, (409, 256)),
    ],
)
def test_resize_brings_the_shorter_side_to_size_as_torchvision_does(
    height: int, width: int, resized: tuple[int, int]
) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    assert Preprocessing(resize=256).pixels(image).shape == (*resized, 3)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest", "lanczos"])
@pytest.mark.parametrize("channels", [1, 3])
def test_resize_gives_the_pixels_of_pillow(interpolation: str, channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (31, 47, channels), dtype=np.uint8)
    pillow = Image.fromarray(image.squeeze()).resize((24, 16), Image.Resampling[interpolation.upper()])
    pixels = Preprocessing(resize=16, interpolation=interpolation).pixels(image)
    np.testing.assert_array_equal(pixels, np.asarray(pillow).reshape(16, 24, channels))


@pytest.mark.parametrize(("size", "offset"), [(224, 0), (225, 0), (226, 1), (227, 1), (228, 2)])
def test_the_crop_starts_at_the_floor_of_half_the_rest(size: int, offset: int) -> None:
    rows = np.broadcast_to(np.arange(size, dtype=np.uint8)[:, None], (size, size))
    cropped = Preprocessing(crop=224).pixels(rows)
    assert cropped.shape == (224, 224, 1)
    assert cropped[0, 0, 0] == offset
    assert Preprocessing(crop=224).pixels(rows.T)[0, 0, 0] == offset


def test_channels_are_converted_as_pillow_does() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(rgb).convert("L"))
    np.testing.assert_array_equal(Preprocessing(channels="grey").pixels(rgb)[..., 0], grey)
    np.testing.assert_array_equal(Preprocessing(channels="bgr").pixels(rgb), rgb[..., ::-1])
    as_rgb = np.asarray(Image.fromarray(grey).convert("RGB"))
    np.testing.assert_array_equal(Preprocessing(channels="rgb").pixels(grey), as_rgb)
    np.testing.assert_array_equal(Preprocessing(channels="bgr").pixels(grey[..., None]), as_rgb)


def test_without_channels_images_stay_as_they_are_unless_there_are_three_values() -> None:
    grey, rgb = np.zeros((4, 4, 1), np.uint8), np.zeros((4, 4, 3), np.uint8)
    assert Preprocessing().pixels(grey).shape == (4, 4, 1)
    assert Preprocessing().pixels(rgb).shape == (4, 4, 3)
    assert Preprocessing(std=(1.0, 2.0, 3.0)).pixels(grey).shape == (4, 4, 3)


def test_too_small_for_the_crop_is_an_error() -> None:
    with pytest.raises(DataError, match=r"30 x 20 pixels are too small for a crop of 24") as caught:
        Preprocessing(crop=24).pixels(np.zeros((20, 30, 3), np.uint8))
    assert "resize" in str(caught.value.hint)


def test_a_resize_to_more_pixels_than_pillow_decodes_is_an_error() -> None:
    with pytest.raises(DataError, match="resized to a shorter side of 60000"):
        Preprocessing(resize=60000).pixels(np.zeros((1, 9000, 3), np.uint8))


@pytest.mark.parametrize("shape", [(4, 4, 4), (4, 4, 2), (4,), (1, 4, 4, 3)])
def test_pixels_refuses_what_is_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="an image of uint8"):
        Preprocessing().pixels(np.zeros(shape, np.uint8))


def test_a_table_for_another_number_of_channels_is_an_error() -> None:
    with pytest.raises(SettingsError, match="3 values for images of 1 channel"):
        PRESETS["imagenet"].table(1)


def test_values_that_overflow_are_an_error() -> None:
    with pytest.raises(SettingsError, match="float32"):
        Preprocessing(scale=1e38, std=(1e-38,))
