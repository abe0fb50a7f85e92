"""Images as training sees them: mirrored and shifted at random, so that a small data set goes further."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgegap.errors import InputError
from edgegap.train.settings import Augment

Pixels = NDArray[np.uint8]

_SHIFT = 8
"""The largest shift is the image's side divided by this: 4 of CIFAR-10's 32 pixels, as in He et al., 2016."""


def suiting(asked: Augment | None, images: NDArray[np.uint8] | NDArray[np.float32]) -> Augment:
    """What was asked for, or what suits the images: mirrored and shifted where they are in colour, else as they are.

    Grey images are most often digits, letters or spectrograms, which a mirror makes into something else; float images
    are preprocessed by a user's own code, and may be anything.

    Args:
        asked: None where nobody says.
        images: uint8 [n, H, W, C], or float32 [n, C, H, W].

    Raises:
        InputError: float images are to be changed.
    """
    if asked not in (None, "none") and images.dtype != np.uint8:
        hint = "Change them in the callable that they come from."
        raise InputError(f"--augment {asked} is for pixels, and these images are preprocessed already", hint=hint)
    return asked or ("flip-crop" if images.dtype == np.uint8 and images.shape[-1] == 3 else "none")


def augmented(images: Pixels, augment: Augment, random: np.random.Generator) -> Pixels:
    """Each image shifted, its edges mirrored into the gap, and with 'flip-crop' one in two mirrored left to right.

    Args:
        images: uint8 [n, H, W, C].
        augment: what to do.
        random: where chance comes from.

    Returns:
        uint8 [n, H, W, C]; `images` itself for 'none'.
    """
    if augment == "none":
        return images
    n, height, width, _ = images.shape
    rows = _shifted(n, height, random)
    columns = _shifted(n, width, random)
    if augment == "flip-crop":
        mirrored = random.random(n) < 0.5
        columns[mirrored] = columns[mirrored, ::-1]
    return images[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _shifted(n: int, size: int, random: np.random.Generator) -> NDArray[np.int64]:
    """For each of n images, which of its lines comes where: [n, size]."""
    most = size // _SHIFT
    lines = np.pad(np.arange(size), most, mode="reflect")
    shifted: NDArray[np.int64] = lines[random.integers(0, 2 * most + 1, n)[:, None] + np.arange(size)]
    return shifted
