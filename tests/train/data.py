"""Images for training tests: two classes that a small network tells apart, and files of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.check.images import ImageSet
from edgegap.data import PRESETS


def stripes(n: int, *, channels: int = 1, size: int = 8, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Noise with a bright row (label 0) or a bright column (1): uint8 [n, size, size, channels], int64 [n]."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 90, (n, size, size, channels), np.uint8)
    labels = np.arange(n) % 2
    for image, label, at in zip(images, labels, random.integers(0, size, n), strict=True):
        image[(at, slice(None)) if label == 0 else (slice(None), at)] = 255
    return images, labels


def image_set(folder: Path, n: int, *, channels: int = 1, seed: int = 0) -> ImageSet:
    """The same as a file that a training reads."""
    images, labels = stripes(n, channels=channels, seed=seed)
    path = folder / f"images-{seed}.npy"
    np.save(path, images)
    table = PRESETS["unit"].table(channels)
    return ImageSet(path, labels, tuple(map(str, range(n))), table, (channels, 8, 8))


def write_npz(path: Path, n: int = 40, **arrays: Any) -> Path:
    """The same as DATA, or the `arrays` given in their place; None leaves one out."""
    images, labels = stripes(n)
    made = {"images": images, "labels": labels} | arrays
    np.savez(path, **{name: array for name, array in made.items() if array is not None})
    return path
