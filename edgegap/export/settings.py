"""What a call of `edgegap export` asks for, and whether it fits together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgegap.errors import InputError

FORMATS = ("onnx", "tflite")


@dataclass(frozen=True)
class ExportSettings:
    """The arguments of an export.

    Args:
        model: MODEL.
        output: the bundle folder.
        weights: a state dict for a factory.
        int8: whether to quantize; else the float pair only.
        calibration: DATA for calibration.
        preprocess: a name or a `.toml`.
        input_shape: C, H, W.
        classes: a file of class names.
        recipe: a name or a `.toml`.
        target: of the device that the bundle is for: a name or a `.toml`.
        formats: which of 'onnx' and 'tflite' to keep.
        io: whether the int8 files take and give float values, or integers.
        batch: images per run of the exported files.
        samples: how many calibration images, 0 for all.
        force: replace an existing bundle.
        strict: a corrupt image is an error.
    """

    model: str
    output: Path
    weights: Path | None = None
    int8: bool = False
    calibration: str | None = None
    preprocess: str | None = None
    input_shape: tuple[int, int, int] | None = None
    classes: Path | None = None
    recipe: str = "default"
    target: str = "desktop"
    formats: tuple[str, ...] = FORMATS
    io: Literal["float", "int8"] = "float"
    batch: int = 1
    samples: int = 256
    force: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        if self.int8 and self.calibration is None:
            hint = "Give some images with --calib DATA, such as a folder, an .npz or digits:train."
            raise InputError("--int8 needs calibration images", hint=hint)
        if self.io == "int8" and not self.int8:
            raise InputError("--io int8 is for int8 files", hint="Add --int8 and --calib DATA.")
        if self.batch < 1:
            raise InputError(f"--batch {self.batch} is not a number of images", hint="Give 1 or more.")
        if self.samples < 0:
            raise InputError(f"--samples {self.samples} is not a number of images", hint="Give 0 for all, or more.")
        if self.calibration is not None and self.preprocess is None and self.calibration_may_be_pixels:
            hint = (
                "Give --preprocess imagenet, cifar10, unit, raw, or a .toml: what the network was trained with. "
                "A wrong guess here is the commonest cause of lost accuracy, so there is no default."
            )
            raise InputError("how pixels become inputs is not known", hint=hint)

    @property
    def calibration_may_be_pixels(self) -> bool:
        """Whether the calibration data is known to hold pixels; a callable may yield preprocessed values."""
        data = self.calibration or ""
        return data.startswith("digits:") or ":" not in data
