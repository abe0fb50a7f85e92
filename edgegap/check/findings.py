"""What a check finds beyond accuracy, each on a stated subset of the images: layers, class maps, shifts, the linter."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.bundle import Bundle
from edgegap.check.accuracy import Row
from edgegap.check.answer_linter import lint_results, swap_gains
from edgegap.check.images import MAKE_ROOM, ImageSet
from edgegap.check.layers import compare_layers
from edgegap.check.linter import lint_images, spread, swapped
from edgegap.check.loading import input_grid
from edgegap.check.maps import class_maps, compare_maps, no_maps
from edgegap.check.predict import OutputGrid, Prediction, predict
from edgegap.check.shift import random_shifts, shift_consistency, shifted
from edgegap.check.taps import subset
from edgegap.data import Preprocessing
from edgegap.disk import disk_errors
from edgegap.progress import Progress
from edgegap.quantize.parameters import Grid

LAYER_IMAGES = 64
MAP_IMAGES = 200
SHIFT_IMAGES = 1000
_COLOURS = 3


@dataclass(frozen=True)
class Findings:
    """Finds out about one bundle on one set of images.

    Args:
        bundle: with a float and an int8 ONNX file.
        images: of the check.
        reference: the answers of float.onnx.
        int8: the answers of int8.onnx.
        folder: for images and models on the way.
        progress: told how far it is.
    """

    bundle: Bundle
    images: ImageSet
    reference: Row
    int8: Row
    folder: Path
    progress: Progress

    def layers(self) -> dict[str, Any]:
        """The `layers` of a record."""
        some = subset(self.images, LAYER_IMAGES, self.folder / "layers.npy")
        return asdict(compare_layers(*self._files(), some, self._input_grid(), self.progress))

    def maps(self) -> dict[str, Any]:
        """The `maps` of a record: how alike they are, or why there are none."""
        manifest = self.bundle.manifest
        network, artifact = self._files()
        none = no_maps(network, manifest.head)
        if none is not None:
            return asdict(none)
        some = subset(self.images, MAP_IMAGES, self.folder / "maps.npy")
        grid = OutputGrid(self.int8.scale or 1.0, manifest.output_zero_point)
        maps = class_maps(network, artifact, manifest.head, some, self._input_grid(), grid, self.progress)
        return compare_maps(maps, some.names, manifest.class_names).to_json()

    def shift(self) -> dict[str, Any] | None:
        """The `shift` of a record; None for images that are not pixels."""
        if self.images.table is None:
            return None
        chosen = np.linspace(0, len(self.images) - 1, min(len(self.images), SHIFT_IMAGES)).round().astype(int)
        pixels = max(1, min(self.images.shape[1:]) // 16)
        dx, dy = random_shifts(len(chosen), pixels)
        path = self.folder / "shifted.npy"
        with disk_errors(path, MAKE_ROOM):
            np.save(path, shifted(np.load(self.images.path, mmap_mode="r")[chosen], dx, dy))
        names = tuple(self.images.names[k] for k in chosen)
        moved = replace(self.images, path=path, labels=self.images.labels[chosen], names=names)
        network, artifact = self._files()
        pair = [Prediction(network, moved), Prediction(artifact, moved, self._input_grid())]
        after, int8_after = (
            result.outputs.reshape(len(moved), -1).argmax(axis=1) for result in predict(pair, self.progress)
        )
        before = self.reference.predictions[chosen], self.int8.predictions[chosen]
        return asdict(shift_consistency((before[0], after), (before[1], int8_after), pixels))

    def _files(self) -> tuple[Path, Path]:
        return self.bundle.file(self.reference.artifact), self.bundle.file(self.int8.artifact)

    def _input_grid(self) -> Grid | None:
        manifest = self.bundle.manifest
        entry = next(entry for entry in manifest.files if entry.name == self.int8.artifact)
        return input_grid(manifest, entry)


def lint(
    bundle: Bundle, images: ImageSet, reference: Row, labels: NDArray[np.int64] | None, folder: Path, progress: Progress
) -> list[str]:
    """The `lint` of a record: what looks like a wrong input, one line each.

    Args:
        bundle: its preprocessing record and calibration hashes are what the images are held against.
        images: of the check.
        reference: the answers of the float network.
        labels: int64 [n]; None where there are none.
        folder: for the images with red and blue exchanged.
        progress: told how far it is.
    """
    manifest = bundle.manifest
    names = manifest.class_names or tuple(map(str, range(manifest.outputs)))
    record = None if manifest.preprocessing is None else Preprocessing.from_json(manifest.preprocessing)
    lines = lint_images(images, record, names, manifest.calibration_hashes)
    if labels is None:
        return lines
    lines += lint_results(reference.predictions, labels, names)
    if images.shape[0] == _COLOURS:
        other = swapped(images, folder / "swapped.npy")
        outputs = predict([Prediction(bundle.file(reference.artifact), other)], progress)[0].outputs
        right = (reference.predictions == labels)[spread(len(images))]
        gain = swap_gains(right, outputs.reshape(len(other), -1).argmax(axis=1) == other.labels)
        lines += [] if gain is None else [gain]
    return lines
