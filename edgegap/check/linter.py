"""What looks like a wrong input: said in one line each, before anybody blames the quantizer.

A line gives the figures that were seen and what to do. The limits below are ours: wide enough that CIFAR-10, MNIST,
the digits and ImageNet photos with their right preprocessing give no line, narrow enough for the mistakes that the
tests make.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgegap.check.images import MAKE_ROOM, ImageSet
from edgegap.data import Preprocessing
from edgegap.disk import disk_errors

_SAMPLE = 512
"""Images that moments and the swap of channels are measured on."""
_CHUNK = 8
_FEWEST = 16
"""Images whose mean says something about a data set's; a single photo's may lie anywhere."""
_DARKEST = 16
"""The largest brightest pixel that looks like another range stored as uint8: 0..1, 0..15, the digits' 0..16."""
_ALIKE = 0.05
"""The share of the pixels' standard deviation that is between images; 0.7 or more on the data sets above."""


def image_hashes(images: ImageSet) -> list[str]:
    """An 8-byte BLAKE2b hash of each image as it is stored, after resize and crop: 16 hexadecimal digits.

    Two different images of a million share one with probability 3e-8, so equal hashes mean equal pixels.
    """
    array = np.load(images.path, mmap_mode="r")
    return [blake2b(np.ascontiguousarray(image).data, digest_size=8).hexdigest() for image in array]


def lint_images(
    images: ImageSet,
    preprocessing: Preprocessing | None,
    classes: Sequence[str],
    calibration: Collection[str] = (),
) -> list[str]:
    """What is suspicious about images and labels, before a network sees them.

    Reads at most 512 images, evenly spread, for moments, a few at a time, and hashes all of them.

    Args:
        images: for calibration or evaluation.
        preprocessing: the record that the network takes; None where nobody claims anything about the values.
        classes: the names of the network's outputs.
        calibration: `image_hashes` of the images that a bundle was calibrated on.

    Returns:
        One line for each finding.
    """
    measured = _measure(images)
    hashes = image_hashes(images)
    stored = _stored(measured, preprocessing)
    lines = [
        stored or _values(measured, preprocessing),
        None if stored else _grey(measured),
        None if stored else _copies(hashes) or _alike(measured),
        _covered(images.labels[images.labels >= 0], classes),
        _overlap(hashes, calibration),
    ]
    return [line for line in lines if line is not None]


def few_calibration_images(n: int, classes: int) -> str | None:
    """A line where `n` calibration images are fewer than 2 for each of `classes`, or 128 where that is less."""
    enough = min(128, 2 * classes)
    if n >= enough:
        return None
    return (
        f"{n} calibration image(s) for {classes} classes: ranges seen on so few may clip others; "
        f"give at least {enough} (--calib, --samples)"
    )


def spread(n: int, most: int = _SAMPLE) -> NDArray[np.intp]:
    """The indices of at most `most` of `n` images, evenly spread: a folder comes class by class."""
    return np.linspace(0, n - 1, min(n, most)).astype(np.intp)


def swapped(images: ImageSet, path: Path) -> ImageSet:
    """The images at `spread(len(images))` with red and blue exchanged, written to the .npy file `path`.

    Args:
        images: of three channels.
        path: to write.

    Raises:
        DiskError: no space.
    """
    chosen = spread(len(images))
    stored = np.load(images.path, mmap_mode="r")
    with disk_errors(path, MAKE_ROOM):
        np.save(path, stored[chosen][:, ::-1] if images.table is None else stored[chosen][..., ::-1])
    return replace(images, path=path, labels=images.labels[chosen], names=tuple(images.names[k] for k in chosen))


@dataclass(frozen=True)
class _Measured:
    """Images in figures.

    Args:
        n: images measured.
        counts: int64 [C, 256], how often each pixel occurs; None for values.
        lowest: the smallest value, as the network sees it.
        highest: the largest.
        mean: float64 [C] of the values.
        std: float64 [C] of the values.
        between: the standard deviation of a pixel position over the images, as a share of that of all pixels.
        grey: whether every image has three equal channels.
    """

    n: int
    counts: NDArray[np.int64] | None
    lowest: float
    highest: float
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    between: float
    grey: bool


def _measure(images: ImageSet) -> _Measured:
    stored = np.load(images.path, mmap_mode="r")
    chosen = spread(len(images))
    channel = 1 if images.table is None else 3
    total = np.zeros(stored.shape[1:])
    squares = np.zeros(stored.shape[1:])
    counts = np.zeros((images.shape[0], 256), dtype=np.int64)
    lowest, highest, grey = np.inf, -np.inf, images.shape[0] == 3
    for start in range(0, len(chosen), _CHUNK):
        chunk = np.moveaxis(stored[chosen[start : start + _CHUNK]], channel, 0)
        grey = grey and bool((chunk == chunk[:1]).all())
        lowest, highest = min(lowest, float(chunk.min())), max(highest, float(chunk.max()))
        if images.table is not None:
            counts += np.stack([np.bincount(plane.ravel(), minlength=256) for plane in chunk])
        exact = np.moveaxis(chunk, 0, channel).astype(np.float64)
        total += exact.sum(axis=0)
        squares += (exact**2).sum(axis=0)
    n = len(chosen)
    within = squares / n - (total / n) ** 2
    overall = float(squares.mean() / n - (total.mean() / n) ** 2)
    between = float(np.sqrt(max(float(within.mean()), 0.0) / overall)) if overall > 0 else 0.0
    if images.table is None:
        mean = total.mean(axis=(1, 2)) / n
        std = np.sqrt(np.maximum(squares.mean(axis=(1, 2)) / n - mean**2, 0))
        return _Measured(n, None, lowest, highest, mean, std, between, grey)
    table = images.table.astype(np.float64)
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = (share * table).sum(axis=1)
    std = np.sqrt((share * (table - mean[:, np.newaxis]) ** 2).sum(axis=1))
    reached = table[counts > 0]
    return _Measured(n, counts, float(reached.min()), float(reached.max()), mean, std, between, grey)


def _values(measured: _Measured, record: Preprocessing | None) -> str | None:
    """The likeliest explanation of values that are not what the record promises."""
    if record is None:
        return None
    line = _record(record)
    if line is None and measured.counts is None:
        line = _already(measured, record)
    return line or _moments(measured, record)


def _stored(measured: _Measured, record: Preprocessing | None) -> str | None:
    """Pixels that were not made from 0..255: what else they look like follows from that."""
    if measured.counts is None or record is None:
        return None
    counts = measured.counts.sum(axis=0)
    brightest = int(np.flatnonzero(counts)[-1])
    if brightest == 0:
        return f"every pixel of {measured.n} images is 0: check how they were written"
    made_for_it = record.scale < 1 and record.scale * brightest >= 0.5
    if brightest <= _DARKEST and not made_for_it:
        return (
            f"the brightest pixel of {measured.n} images is {brightest}, not 255: were values of 0..{brightest} stored "
            f"as uint8? Store rint(value * {255 / brightest:g}), or give the scale that the network was trained with"
        )
    if counts[4:253].sum() == 0 and counts[1:4].sum() + counts[253:255].sum() > 0.2 * counts.sum():
        return (
            f"all pixels of {measured.n} images lie in 0..3 or 253..255: were normalized values cast to uint8? "
            "Store the pixels as they were before the normalization"
        )
    return None


def _record(record: Preprocessing) -> str | None:
    """A record whose figures belong to two ranges of pixels."""
    mean, std = max(map(abs, record.mean)), max(map(abs, record.std))
    figures = f"the preprocessing has mean {_row(record.mean)} and std {_row(record.std)}"
    if record.scale >= 0.1 and 0 < mean <= 1 and std < 1:
        return f"{figures}, of pixels in 0..1, but scale {record.scale:.3g}: set scale to {1 / 255:.10g}"
    if record.scale <= 0.02 and (mean > 2 or std > 2):
        return f"{figures}, of pixels in 0..255, but scale {record.scale:.3g}: set scale to 1, or divide both by 255"
    return None


def _already(measured: _Measured, record: Preprocessing) -> str | None:
    """Float values that the record did not make. One that changes nothing (`raw`) claims nothing about them."""
    if record.scale == 1 and set(record.mean) == {0.0} and set(record.std) == {1.0}:
        return None
    table = record.table(len(measured.mean))
    low, high = float(table.min()), float(table.max())
    slack = 0.25 * (high - low)  # resizing in float overshoots
    fits = low - slack <= measured.lowest and measured.highest <= high + slack
    seen = f"the values of {measured.n} images lie in {measured.lowest:.3g}..{measured.highest:.3g}"
    claim = f"the preprocessing gives {low:.3g}..{high:.3g}"
    if not fits:
        mean, std = (np.broadcast_to(row, measured.mean.shape) for row in (record.mean, record.std))
        once, spread_once = measured.mean * std + mean, measured.std * np.abs(std)
        centred = bool((np.abs(once) < 0.3 * (high - low)).all())
        if mean.any() and centred and bool(((spread_once >= 0.4) & (spread_once <= 2.5)).all()):
            return f"{seen}, where {claim}: mean and std were applied twice; take one of them out"
        if measured.lowest >= 0 and measured.highest > _DARKEST:
            return (
                f"{seen}, where {claim}: they are still pixels; apply scale, mean and std in the source of float images"
            )
        return f"{seen}, where {claim}: give the preprocessing that the source of float images applies, or correct one"
    if measured.lowest >= 0 and (low < -0.4 or measured.highest < 0.05 * high):
        return f"{seen}, none below 0, where {claim}: apply its scale, mean and std in the source of float images"
    return None


def _moments(measured: _Measured, record: Preprocessing) -> str | None:
    """A record with a mean promises a mean near 0, one with a std a spread near 1; [-1, 1] is a range, not a claim."""
    mean, std = (np.broadcast_to(row, measured.mean.shape) for row in (record.mean, record.std))
    span = np.abs(255 * record.scale / std)
    centred = mean.any() and not np.allclose(mean, 127.5 * record.scale, rtol=0.01)
    scaled = bool((std != 1).any()) and bool((span >= 2.5).all())
    off = centred and bool((np.abs(measured.mean) > 0.3 * span).any())
    flat = scaled and bool(((measured.std < 0.4) | (measured.std > 2.5)).any())
    if measured.n < _FEWEST or not (off or flat):
        return None
    return (
        f"{measured.n} preprocessed images have mean {_row(measured.mean)} and standard deviation "
        f"{_row(measured.std)}, far from the 0 and 1 that mean {_row(record.mean)} and std {_row(record.std)} are for: "
        "give the preprocessing that the network was trained with, and the images that it is for"
    )


def _grey(measured: _Measured) -> str | None:
    if not measured.grey or measured.counts is None:
        return None
    return (
        f"all {measured.n} images are grey, three equal channels for a colour network: "
        "if it was trained on colour, give colour images"
    )


def _copies(hashes: list[str]) -> str | None:
    n, copies = len(hashes), len(hashes) - len(set(hashes))
    if copies <= 0.05 * n:
        return None
    what = "are the same image" if copies == n - 1 else f"hold {copies} exact copies of others"
    return f"the {n} images {what}: figures and ranges rest on {n - copies} image(s); give different ones"


def _alike(measured: _Measured) -> str | None:
    if measured.n < 2 or measured.between > _ALIKE:
        return None
    return (
        f"{measured.n} images differ by only {100 * measured.between:.1g} % of the spread of their pixels: "
        "are they frames of one scene? Give images as different as those that the network will see"
    )


def _covered(labels: NDArray[np.int64], classes: Sequence[str]) -> str | None:
    """As many images, drawn evenly from all classes, would meet twice as many of them or more."""
    n, seen = len(labels), np.unique(labels)
    expected = len(classes) * (1 - (1 - 1 / len(classes)) ** n)
    if len(classes) < 2 or n < 8 or (len(seen) > 1 and len(seen) > expected / 2):
        return None
    which = f"are all of class {classes[int(seen[0])]!r}" if len(seen) == 1 else f"are of {len(seen)} classes only"
    return f"the {n} images {which}, of {len(classes)}: the others go unmeasured; give images of every class"


def _overlap(hashes: list[str], calibration: Collection[str]) -> str | None:
    """1 % of the smaller of both: a blank image may be in each without meaning anything."""
    seen = set(calibration)
    shared = len(seen & set(hashes))
    if shared == 0 or shared < 0.01 * min(len(seen), len(hashes)):
        return None
    return (
        f"{shared} of the {len(hashes)} images are also among the {len(seen)} calibration images: int8 was fitted to "
        "them and looks better than it is; check on other images"
    )


def _row(figures: Sequence[float] | NDArray[np.float64]) -> str:
    return " ".join(f"{figure:.3g}" for figure in figures)
