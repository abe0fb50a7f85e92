"""The images of a data set as one file that runners read: decoded and resized once, for every artifact the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgegap.data import DataSource, Preprocessing, batches
from edgegap.disk import disk_errors
from edgegap.errors import DataError
from edgegap.progress import Progress

MAKE_ROOM = "Make room there, point TMPDIR at a folder with more, or use fewer images."


_BATCH = 32


@dataclass(frozen=True)
class ImageSet:
    """Images that are ready to run.

    Args:
        path: a .npy file: uint8 pixels [n, H, W, C], or float32 [n, C, H, W] that is preprocessed already.
        labels: int64 [n], -1 where there is none.
        names: of the images.
        table: float32 [C, 256], the value of every pixel; None for preprocessed images.
        shape: C, H, W.
    """

    path: Path
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    table: NDArray[np.float32] | None
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.labels)

    def values(self, stop: int | None = None, start: int = 0) -> NDArray[np.float32]:
        """Images `start` to `stop` as the float network sees them: float32 [n, C, H, W]."""
        images = np.load(self.path, mmap_mode="r")[start:stop]
        if self.table is None:
            return np.array(images)
        return np.stack([self.table[c][images[..., c]] for c in range(self.shape[0])], axis=1)

    def taken(self, chosen: NDArray[np.intp], path: Path) -> ImageSet:
        """Some of the images as a set of their own, which is written to the .npy file `path`.

        Raises:
            DiskError: no space.
        """
        with disk_errors(path, MAKE_ROOM):
            np.save(path, np.load(self.path, mmap_mode="r")[chosen])
        return replace(self, path=path, labels=self.labels[chosen], names=tuple(self.names[k] for k in chosen))


def save_images(source: DataSource, preprocessing: Preprocessing | None, path: Path, progress: Progress) -> ImageSet:
    """Write the images of `source`, preprocessed up to their pixels, to the .npy file `path`, a few at a time.

    Raises:
        DataError: no images, or whatever the source raises.
        DiskError: no space.
    """
    labels: list[NDArray[np.int64]] = []
    names: list[str] = []
    first: NDArray[np.uint8] | NDArray[np.float32] | None = None
    with disk_errors(path, MAKE_ROOM), open(path, "wb") as file:
        for batch in batches(source, preprocessing, _BATCH):
            if first is None:
                first = batch.images[:1]
                _write_header(file, first, 0)
            file.write(np.ascontiguousarray(batch.images).data)
            labels.append(batch.labels)
            names.extend(batch.names)
            progress(f"reading {source.spec}", len(names), source.count)
        if first is None:
            raise DataError("there are no images", hint="Give a data set with at least one image.")
        file.seek(0)
        _write_header(file, first, len(names))
    if first.dtype == np.uint8:
        height, width, channels = first.shape[1:]
        table = None if preprocessing is None else preprocessing.table(channels)
    else:
        channels, height, width = first.shape[1:]
        table = None
    return ImageSet(path, np.concatenate(labels), tuple(names), table, (channels, height, width))


def _write_header(file, example, n: int) -> None:  # type: ignore[no-untyped-def]  # a binary file and an array
    """A .npy header for `n` images; NumPy pads it so that the length does not depend on n."""
    header = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(example))
    header["shape"] = (n, *example.shape[1:])
    np.lib.format.write_array_header_1_0(file, header)
