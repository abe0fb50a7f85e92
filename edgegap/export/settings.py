"""What a call of `edgegap export` asks for, and whether it fits together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgegap.data.npz import holds_features
from edgegap.errors import InputError

FORMATS = ("onnx", "tflite")

_NO_PREPROCESS = "how pixels become inputs is not known"
_PREPROCESS = (
    "Give --preprocess imagenet, cifar10, unit, raw, or a .toml: what the network was trained with. "
    "A wrong guess here is the commonest cause of lost accuracy, so there is no default."
)


@dataclass(frozen=True)
class ExportSettings:
    """The arguments of an export.

    Args:
        model: MODEL.
        output: the bundle folder; not looked at in a dry run.
        weights: a state dict or a checkpoint, for a factory or a network of the zoo.
        int8: whether to quantize; else the float pair only.
        calibration: DATA for calibration.
        preprocess: a name or a `.toml`; what the checkpoint says where it is None.
        input_shape: C, H, W; C of all inputs together.
        input_channels: of each input, of a torch network that takes several.
        classes: a file of class names; those of the checkpoint where it is None.
        recipe: a name or a `.toml`.
        target: of the device that the bundle is for: a name or a `.toml`.
        formats: which of 'onnx' and 'tflite' to keep.
        io: whether the int8 files take and give float values, or integers.
        batch: images per run of the exported files.
        samples: how many calibration images, 0 for all.
        force: replace an existing bundle.
        strict: a corrupt image is an error.
        resnap: change the scales of a network that is quantized already until every op of it is exact.
        report_sensitivity: measure what each part of the quantization costs.
        max_drop_pp: keep layers in float until no more than this is lost on the calibration images, percentage points;
            None keeps none.
        trust: load a `.pt2`, which can run any code.
        dry_run: only say what would be made; that takes no images.
    """

    model: str
    output: Path
    weights: Path | None = None
    int8: bool = False
    calibration: str | None = None
    preprocess: str | None = None
    input_shape: tuple[int, int, int] | None = None
    input_channels: tuple[int, ...] = ()
    classes: Path | None = None
    recipe: str = "default"
    target: str = "desktop"
    formats: tuple[str, ...] = FORMATS
    io: Literal["float", "int8"] = "float"
    batch: int = 1
    samples: int = 256
    force: bool = False
    strict: bool = False
    resnap: bool = False
    report_sensitivity: bool = False
    max_drop_pp: float | None = None
    trust: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.int8 and self.calibration is None and not self.dry_run:
            hint = "Give some images with --calib DATA, such as a folder, an .npz or digits:train."
            raise InputError("--int8 needs calibration images", hint=hint)
        if self.report_sensitivity and self.calibration is None and not self.dry_run:
            raise InputError("--report-sensitivity needs calibration images", hint="Give some with --calib DATA.")
        if not self.model.endswith(".onnx"):
            self.check_fit(quantized=False)
        if self.trust and not self.model.endswith(".pt2"):
            raise InputError("--trust is for a .pt2 exported program", where=self.model, hint="Leave it out.")
        if self.batch < 1:
            raise InputError(f"--batch {self.batch} is not a number of images", hint="Give 1 or more.")
        if self.max_drop_pp is not None and not 0 <= self.max_drop_pp <= 100:
            raise InputError(f"--max-drop {self.max_drop_pp:g} is no share of images", hint="Give 0 to 100.")
        if self.samples < 0:
            raise InputError(f"--samples {self.samples} is not a number of images", hint="Give 0 for all, or more.")

    def check_pixels(self) -> None:
        """Refuse pixels, where neither the call nor a checkpoint says how they become inputs.

        Raises:
            InputError: the calibration data holds pixels.
        """
        if self.calibration is not None and self.calibration_may_be_pixels:
            raise InputError(_NO_PREPROCESS, hint=_PREPROCESS)

    def check_fit(self, *, quantized: bool) -> None:
        """Refuse options that do not fit a float network, or one that is quantized already.

        Raises:
            InputError: naming the option.
        """
        if not quantized and self.io == "int8" and not self.int8:
            raise InputError("--io int8 is for int8 files", hint="Add --int8 and --calib DATA.")
        if not quantized and self.report_sensitivity and not self.int8:
            raise InputError("--report-sensitivity is for int8 files", hint="Add --int8.")
        if not quantized and self.resnap:
            hint = "Leave it out: a quantization of EdgeGAP's own snaps its scales itself."
            raise InputError("--resnap is for a network that is quantized already", hint=hint)
        if not quantized and self.max_drop_pp is not None and not self.int8:
            raise InputError("--max-drop is for int8 files", hint="Add --int8 and --calib DATA.")
        if quantized and self.max_drop_pp is not None:
            hint = "Leave it out, or give the float network."
            raise InputError("--max-drop is for a float network; this one is quantized", hint=hint)
        if quantized and self.recipe != "default":
            hint = "Leave out --recipe, or give the float network."
            raise InputError(f"--recipe {self.recipe} is for a float network; this one is quantized", hint=hint)
        if quantized and self.calibration is None and self.preprocess is None:
            raise InputError(_NO_PREPROCESS, hint=_PREPROCESS)

    @property
    def calibration_may_be_pixels(self) -> bool:
        """Whether the calibration data is known to hold pixels; a callable may yield preprocessed values, and an .npz
        may hold them.
        """
        data = self.calibration or ""
        return data.startswith("digits:") or (":" not in data and not holds_features(Path(data)))
