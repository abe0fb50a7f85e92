"""Mirrored and shifted images keep their shape, their type and their content."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegap.errors import InputError
from edgegap.train.augment import augmented, suiting
from edgegap.train.settings import Augment


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(
    st.integers(1, 4),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([1, 3]),
    st.sampled_from(["flip-crop", "crop", "none"]),
)
def test_shape_and_type_are_kept_and_no_pixel_is_made_up(
    n: int, height: int, width: int, channels: int, augment: Augment
) -> None:
    images = generator().integers(0, 256, (n, height, width, channels), np.uint8)
    changed = augmented(images, augment, generator(1))
    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    for before, after in zip(images, changed, strict=True):
        colours = {tuple(pixel) for pixel in before.reshape(-1, channels)}
        assert {tuple(pixel) for pixel in after.reshape(-1, channels)} <= colours


def test_a_shift_is_at_most_an_eighth_of_the_side() -> None:
    rows = np.broadcast_to(np.arange(32, dtype=np.uint8)[:, None, None], (200, 32, 32, 1))
    shifts = augmented(rows, "crop", generator())[:, 16, 0, 0].astype(int) - 16
    assert sorted(set(shifts)) == list(range(-4, 5))


def test_one_image_in_two_is_mirrored_and_only_when_asked() -> None:
    columns = np.broadcast_to(np.arange(4, dtype=np.uint8)[None, :, None], (1000, 4, 4, 1))
    mirrored = augmented(columns, "flip-crop", generator())[:, 0, 0, 0] == 3
    assert 0.4 < mirrored.mean() < 0.6
    assert not (augmented(columns, "crop", generator())[:, 0, 0, 0] == 3).any()


def test_the_same_seed_gives_the_same_images() -> None:
    images = generator().integers(0, 256, (50, 16, 16, 3), np.uint8)
    first, second, other = (augmented(images, "flip-crop", generator(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [((2, 8, 8, 3), np.uint8, "flip-crop"), ((2, 8, 8, 1), np.uint8, "none"), ((2, 3, 8, 3), np.float32, "none")],
)
def test_only_colour_images_are_changed_when_nobody_says(
    shape: tuple[int, ...], dtype: type, expected: Augment
) -> None:
    assert suiting(None, np.zeros(shape, dtype)) == expected


def test_what_was_asked_for_is_done_to_pixels_and_refused_for_preprocessed_images() -> None:
    assert suiting("crop", np.zeros((2, 8, 8, 1), np.uint8)) == "crop"
    assert suiting("none", np.zeros((2, 1, 8, 8), np.float32)) == "none"
    with pytest.raises(InputError, match="--augment crop is for pixels"):
        suiting("crop", np.zeros((2, 1, 8, 8), np.float32))
