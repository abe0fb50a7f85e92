"""Images in a folder, one subfolder for each class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from edgegap.data.classes import class_indices
from edgegap.data.preprocess import Pixels
from edgegap.data.source import Sample, check_take
from edgegap.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "PPM")


@dataclass(frozen=True, eq=False)
class FolderSource:
    """A `DataSource` of files, each decoded when its turn comes.

    Args:
        spec: the folder.
        files: path below the folder (which is the sample's name) and label, by class, then by file name.
        classes: names of the classes; None when the images are not labelled and no classes file was given.
        strict: an image that cannot be read is an error, and not skipped.
        skipped: `name: reason` of each image that could not be read.
    """

    spec: str
    files: tuple[tuple[str, int | None], ...]
    classes: tuple[str, ...] | None
    strict: bool
    skipped: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of files."""
        return len(self.files)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Sample]:
        self.skipped.clear()
        for name, label in self.files:
            try:
                image = decode(Path(self.spec) / name)
            except _UnreadableImageError as error:
                if self.strict:
                    raise DataError(
                        str(error), where=f"{self.spec}/{name}", hint="Repair or remove it, or do not ask for strict."
                    ) from error
                self.skipped.append(f"{name}: {error}")
            else:
                yield Sample(image, label, name)
        if len(self.skipped) == self.count:
            raise DataError(
                f"none of its {self.count} images can be read; the first is {self.skipped[0]}",
                where=self.spec,
                hint="Check how the files were written or copied.",
            )

    def take(self, n: int) -> FolderSource:
        """`n` images, an even share of each class: the first file of every class in class order, then the second ...

        They keep the folder's order. 0 takes all. Files that turn out to be unreadable are not replaced.
        """
        check_take(n)
        turns: Counter[int | None] = Counter()
        turn = []
        for _, label in self.files:
            turn.append(turns[label])
            turns[label] += 1
        chosen = sorted(range(self.count), key=turn.__getitem__)[: n or self.count]
        return replace(self, files=tuple(self.files[index] for index in sorted(chosen)), skipped=[])


def open_folder(folder: Path, classes: tuple[str, ...] | None, *, strict: bool) -> FolderSource:
    """The images of `folder`: one subfolder for each class, or all in the folder itself and without labels.

    Every subfolder is a class, also an empty one, so that a missing file shifts no label. Hidden ones are not.

    Raises:
        DataError: no image, images beside the subfolders, or subfolders that are not among `classes`.
    """
    where = str(folder)
    try:
        names, loose = _listing(folder)
        if names and loose:
            raise DataError(
                f"images ({loose[0]}) beside subfolders ({names[0]})",
                where=where,
                hint="Either one subfolder for each class, or only images, which then have no label.",
            )
        labels = class_indices(names, classes, where) if classes else list(range(len(names)))
        files: list[tuple[str, int | None]] = [(image, None) for image in loose]
        for label, name in sorted(zip(labels, names, strict=True)):
            files += [(f"{name}/{image}", label) for image in _listing(folder / name)[1]]
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}", where=error.filename or where, hint="Check its permissions."
        ) from error
    if not files:
        raise DataError(
            "no images in it" if any(folder.iterdir()) else "an empty folder",
            where=where,
            hint=f"It holds one subfolder of images for each class, or images; they end in {' '.join(SUFFIXES)}.",
        )
    return FolderSource(where, tuple(files), classes or (tuple(names) if names else None), strict)


def _listing(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the subfolders and of the images, each sorted; hidden ones are left out."""
    with os.scandir(folder) as entries:
        shown = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    return (
        [name for name, is_folder in shown if is_folder],
        [name for name, is_folder in shown if not is_folder and name.lower().endswith(SUFFIXES)],
    )


class _UnreadableImageError(Exception):
    """Why one image cannot be used."""


def decode(path: Path) -> Pixels:
    """The pixels of an image file: uint8 [H, W, 1] when it is grey, else [H, W, 3], RGB without alpha.

    The EXIF orientation is not applied: the usual loaders of training code (torchvision's, timm's) do not apply it
    either, so the float figures of trained networks were measured on the pixels as they are stored.

    Raises:
        DataError: the file cannot be opened, or has more pixels than Pillow decodes (a decompression bomb).
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path), hint="Check its permissions.") from error
    with file:
        try:
            with Image.open(file, formats=FORMATS) as image:
                if image.mode.startswith(("I", "F")):
                    raise _UnreadableImageError(f"more than 8 bits a pixel (mode {image.mode})")
                return _pixels(image)
        except _UnreadableImageError:
            raise
        except Image.DecompressionBombError as error:
            raise DataError(str(error), where=str(path), hint="Remove the image or make it smaller.") from error
        # A damaged file raises whatever its decoder happens to meet: OSError, SyntaxError, struct.error, ...
        except Exception as error:
            raise _UnreadableImageError(_reason(error)) from error


def _pixels(image: Image.Image) -> Pixels:
    grey = image.mode in ("1", "L", "LA", "La")
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    return pixels.reshape(*pixels.shape[:2], -1)


def _reason(error: Exception) -> str:
    # Pillow's own words name the open file object.
    return "not an image" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
