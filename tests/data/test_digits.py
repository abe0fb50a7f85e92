"""The digits of scikit-learn and their split."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from edgegap.data import open_data
from edgegap.errors import DataError


def test_the_parts_are_disjoint_stratified_and_complete() -> None:
    train, test = list(open_data("digits:train")), list(open_data("digits:test"))
    assert (len(train), len(test)) == (1297, 500)
    everything = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    parts = sorted(sample.image.tobytes() for sample in train + test)
    assert parts == sorted(image.tobytes() for image in everything)
    shares = np.bincount([sample.label for sample in test]) / np.bincount(load_digits().target)
    assert np.abs(shares - 500 / 1797).max() < 1 / 170  # one image of a class


def test_the_split_never_changes() -> None:
    digest = hashlib.sha256(b"".join(sample.image.tobytes() for sample in open_data("digits:test")))
    assert digest.hexdigest()[:16] == "5d12a5f87c16db1d"


def test_images_are_pixels_of_the_whole_range() -> None:
    source = open_data("digits:test")
    assert source.classes == tuple("0123456789")
    images = np.stack([sample.image for sample in source])
    assert (images.dtype, images.shape) == (np.uint8, (500, 8, 8, 1))
    assert sorted(set(images.ravel().tolist())) == [round(value * 255 / 16) for value in range(17)]


def test_another_part_is_told() -> None:
    with pytest.raises(DataError, match="no digits:validation") as caught:
        open_data("digits:validation")
    assert "digits:train and digits:test" in str(caught.value.hint)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)  # how Python marks a module that cannot be imported
    with pytest.raises(DataError) as caught:
        open_data("digits:train")
    assert caught.value.hint == "pip install 'edgegap[demo]'"
