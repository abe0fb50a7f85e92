"""The images of DATA as a bundle takes them, and what its int8 files are fed."""

from __future__ import annotations

from pathlib import Path

from edgegap.bundle import Bundle, FileEntry, Manifest
from edgegap.check.images import ImageSet, save_images
from edgegap.data import DataSource, Preprocessing, open_data
from edgegap.errors import BundleError, DataError
from edgegap.progress import Progress
from edgegap.quantize.parameters import SIGNED, Grid


def open_for(bundle: Bundle, data: str, classes: Path | None, *, strict: bool = False) -> DataSource:
    """The source of `data`, its labels in the order of the network's outputs.

    Args:
        bundle: whose classes give the order where `classes` does not: a folder of a few classes must number them as the
            network does.
        data: DATA.
        classes: a file with the order of the classes.
        strict: a corrupt image is an error.
    """
    return open_data(data, classes=classes or bundle.manifest.classes, strict=strict)


def load_images(bundle: Bundle, source: DataSource, path: Path, progress: Progress) -> ImageSet:
    """Save the images of `source` as the bundle's preprocessing makes them.

    Raises:
        DataError: images that do not fit the bundle, labels outside its classes.
    """
    manifest = bundle.manifest
    record = manifest.preprocessing
    images = save_images(source, None if record is None else Preprocessing.from_json(record), path, progress)
    wanted = manifest.input_shape[1:]
    if images.shape != wanted:
        hint = "Set resize, crop and channels in the preprocessing at export, or give images of that size."
        raise DataError(f"gives C,H,W = {images.shape}, the bundle takes {wanted}", where=source.spec, hint=hint)
    largest = int(images.labels.max(initial=-1))
    if largest >= manifest.outputs:
        k = int(images.labels.argmax())
        name = f", '{source.classes[largest]}'" if source.classes is not None else ""
        raise DataError(
            f"the label {largest}{name} of {images.names[k]} is outside the network's {manifest.outputs} classes",
            where=source.spec,
            hint="Is this the data that the network was trained for? --classes FILE gives the order of its classes.",
        )
    return images


def input_grid(manifest: Manifest, entry: FileEntry) -> Grid | None:
    """The grid of the integers that a file takes; None where it takes floats."""
    if entry.precision == "float" or manifest.io != "int8":
        return None
    if manifest.input_scale is None or manifest.input_zero_point is None:
        raise BundleError("does not say what integers its int8 files take", hint="Export the bundle again.")
    return Grid(manifest.input_scale, manifest.input_zero_point + SIGNED)
