"""What every peer is given for a network, and what its files are measured on: the same for all of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from cases import DATA, Case
from numpy.typing import NDArray
from outcome import outcome
from processes import Cost, run

from edgegap.check.images import ImageSet, save_images
from edgegap.data import load_preprocessing, open_data
from edgegap.progress import silent

IMAGES = 256
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Inputs:
    """One network, its images and the float answers.

    Args:
        case: the network.
        folder: for the files made here; the caller removes it.
    """

    case: Case
    folder: Path

    @property
    def trained(self) -> list[str]:
        """The network as trained.py takes it."""
        return [str(DATA), self.case.factory, str(DATA / "pretrained" / f"{self.case.weights}.pt")]

    @property
    def float_onnx(self) -> Path:
        """PyTorch's export of it; made by `exported`."""
        return self.folder / "float.onnx"

    @cached_property
    def calibration(self) -> Path:
        """A .npy of the 256 images as the network takes them: float32 [256, C, H, W]."""
        path = self.folder / "calibration.npy"
        np.save(path, self._images(self.case.calibration, IMAGES).values())
        return path

    @cached_property
    def exported(self) -> Cost:
        """What the export to `float_onnx` cost."""
        script = [sys.executable, str(_HERE / "export_onnx.py")]
        cost = run([*script, *self.trained, str(self.calibration), str(self.float_onnx)])
        if cost.status:
            sys.exit(f"the float export of {self.case.factory} ended with status {cost.status}:\n{cost.stderr}")
        return cost

    @cached_property
    def tests(self) -> ImageSet:
        """The test images: all 10,000 of CIFAR-10, or the 400 photos."""
        return self._images(self.case.tests[0], 0)

    @cached_property
    def float_predictions(self) -> NDArray[np.int64]:
        """int64 [n], the class that the float network answers."""
        assert self.exported.status == 0
        return outcome(self.float_onnx, self.tests).predictions

    def _images(self, data: Path, count: int) -> ImageSet:
        classes = DATA / "imagenet" / "classes.txt" if self.case.photos else None
        source = open_data(str(data), classes=classes, strict=True).take(count)
        preprocessing = load_preprocessing(self.case.preprocess)
        return save_images(source, preprocessing, self.folder / f"{data.stem}.npy", silent)
