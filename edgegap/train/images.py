"""Images to learn from: all of them labelled, and of every class at least one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgegap.check.images import ImageSet, save_images
from edgegap.data import DataSource, Preprocessing, open_data
from edgegap.errors import DataError
from edgegap.progress import Progress

_NAMED = 5
"""How many classes an error names."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a network learns from.

    Args:
        spec: what the person typed.
        images: to learn from.
        validation: to measure on after each epoch, or None.
        classes: their names, or None.
        count: how many classes there are.
        skipped: one line for each image that could not be read.
    """

    spec: str
    images: ImageSet
    validation: ImageSet | None
    classes: tuple[str, ...] | None
    count: int
    skipped: tuple[str, ...]

    def digest(self) -> str:
        """SHA-256 of the images to learn from and their labels."""
        with open(self.images.path, "rb") as file:
            content = hashlib.file_digest(file, "sha256")
        content.update(self.images.labels.tobytes())
        return content.hexdigest()


def training_data(
    data: str, val: str | None, preprocessing: Preprocessing | None, folder: Path, progress: Progress
) -> TrainingData:
    """Read the images.

    Args:
        data: DATA to learn from.
        val: DATA to measure on, or None.
        preprocessing: of both.
        folder: where they are kept meanwhile.
        progress: told how many were read.

    Raises:
        DataError: nothing usable of that name, an image without a label, images of several sizes, a class without
            images, or validation images of another size or other classes.
        DiskError: no space in the folder.
    """
    source = open_data(data)
    images = _labelled(source, preprocessing, folder / "training.npy", progress)
    read = TrainingData(
        data, images, None, source.classes, _class_count(images, source.classes, data), tuple(source.skipped)
    )
    if val is None:
        return read
    source = open_data(val)
    validation = _labelled(source, preprocessing, folder / "validation.npy", progress)
    _check_alike(read, validation, source)
    return replace(read, validation=validation, skipped=(*read.skipped, *source.skipped))


def _labelled(source: DataSource, preprocessing: Preprocessing | None, path: Path, progress: Progress) -> ImageSet:
    """The images of a source in the file `path`.

    Raises:
        DataError: an image without a label, or whatever reading them raises.
        DiskError: no space.
    """
    images = save_images(source, preprocessing, path, progress)
    without = np.flatnonzero(images.labels < 0)
    if len(without):
        some = images.names[without[0]]
        hint = "Training needs the class of every image: labels in the .npz, or one subfolder for each class."
        raise DataError(f"{len(without)} images have no label, {some} first", where=source.spec, hint=hint)
    return images


def _class_count(images: ImageSet, classes: tuple[str, ...] | None, spec: str) -> int:
    """How many classes there are: those that have a name, or else as many as the labels 0..K-1 say.

    Raises:
        DataError: a class without images, or a single class.
    """
    count = int(images.labels.max()) + 1 if classes is None else len(classes)
    present = np.unique(images.labels)
    missing = sorted(set(range(count)) - set(present.tolist()))
    if missing:
        some = ", ".join(str(k) if classes is None else classes[k] for k in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        what = f"no image of {len(missing)} of its {count} classes: {some}{more}"
        hint = "Labels are 0 to K-1, and the network can only learn what it sees: leave out empty classes."
        if classes is None:
            what = f"labels from {present[0]} to {present[-1]}, but {what}"
        raise DataError(what, where=spec, hint=hint)
    if count < 2:
        raise DataError("all images are of one class", where=spec, hint="Give images of two classes or more.")
    return count


def _check_alike(data: TrainingData, images: ImageSet, source: DataSource) -> None:
    """Refuse validation images that are not of the training images' size and classes."""
    if images.shape != data.images.shape:
        mine, theirs = (",".join(map(str, each)) for each in (images.shape, data.images.shape))
        hint = "Set resize, crop and channels in the preprocessing so that both get one size."
        raise DataError(f"images of C,H,W = {mine}, but of {theirs} in the training data", where=source.spec, hint=hint)
    if None not in (data.classes, source.classes) and data.classes != source.classes:
        hint = "Both need the same classes in the same order: the same subfolders, or the same class_names."
        raise DataError("its classes are not those of the training data", where=source.spec, hint=hint)
    if images.labels.max() >= data.count:
        what = f"label {images.labels.max()}, but there are {data.count} classes"
        raise DataError(what, where=source.spec, hint=f"Labels are 0 to {data.count - 1}, as in the training data.")
