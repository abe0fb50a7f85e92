"""The manifest: what a bundle holds and how it was made."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

FORMAT_VERSION = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class FileEntry:
    """One exported file.

    Args:
        name: inside the bundle.
        format: 'onnx' (NCHW) or 'tflite' (NHWC).
        precision: 'float' or 'int8'.
        bytes: its size, with that of its weights.
        sha256: of its content.
        weights_sha256: of the file of its weights beside it (`weights_file`); None where it holds them itself.
    """

    name: str
    format: Literal["onnx", "tflite"]
    precision: Literal["float", "int8"]
    bytes: int
    sha256: str
    weights_sha256: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json.

    Args:
        model: what was exported, as the user named it.
        head: 'gap', 'gap-linear', 'fc' or 'none'.
        classes: names in the order of the outputs, as data calls them, or None where nobody gave any.
        preprocessing: the record that turns images into inputs, or None where the data is preprocessed already.
        input_shape: N, C, H, W.
        outputs: how many.
        io: what the int8 files take and give, 'float' or 'int8'; None in a float bundle.
        input_scale: of the int8 files' input integers; None in a float bundle.
        input_zero_point: likewise, on the signed grid (-128..127).
        output_scale: of the int8 files' output integers; None in a float bundle.
        output_zero_point: likewise, on the signed grid (-128..127). None where the last layer stays in float: the scale
            is then only the unit in which differences are counted.
        recipe: name of the recipe, 'imported' or 'resnapped' where the quantization was given; None in a float bundle.
        target: name of the profile of the device it was made for; None in a float bundle.
        calibration: the data it was calibrated on, as the user named it; None in a float bundle.
        calibration_images: how many images that were.
        calibration_hashes: of those images (of 512 where they are more), so that a check can tell that it sees them
            again.
        exactness: 'exact' where both int8 files give the same integers for every 8-bit image, else 'bounded'; None in a
            float bundle.
        inexact: the first op that is not exact, and why.
        files: what was exported.
        tools: versions of EdgeGAP and of what it used.
        titles: what people call the classes, where that is something else.
        activation: type of the activations in int8.onnx; None in a float bundle, and in one that does not say.
        float_layers: those that stay in float in the int8 files, by the names of their outputs there.
        format_version: of this record.
    """

    model: str
    head: str
    classes: tuple[str, ...] | None
    preprocessing: dict[str, Any] | None
    input_shape: tuple[int, ...]
    outputs: int
    io: Literal["float", "int8"] | None
    input_scale: float | None
    input_zero_point: int | None
    output_scale: float | None
    output_zero_point: int | None
    recipe: str | None
    target: str | None
    calibration: str | None
    calibration_images: int
    calibration_hashes: tuple[str, ...]
    exactness: Literal["exact", "bounded"] | None
    inexact: str | None
    files: tuple[FileEntry, ...]
    tools: dict[str, str]
    titles: tuple[str, ...] | None = None
    activation: Literal["uint8", "int8"] | None = None
    float_layers: tuple[str, ...] = ()
    format_version: int = FORMAT_VERSION

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """What to call the classes, in the order of the outputs; None where nobody said."""
        return self.titles or self.classes

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Manifest:
        """From a record that fits its schema; fields of a newer EdgeGAP are passed over."""
        values = _known(cls, record)
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        return cls(**{**values, "files": tuple(FileEntry(**_known(FileEntry, entry)) for entry in record["files"])})


def _known(cls: type[Manifest | FileEntry], record: dict[str, Any]) -> dict[str, Any]:
    return {field.name: record[field.name] for field in fields(cls) if field.name in record}


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_file(path: Path) -> Path:
    """Where the weights of an ONNX file lie that are too large for it: ONNX's external data."""
    return path.with_name(f"{path.name}.data")


def describe_file(path: Path) -> FileEntry:
    """The entry of an exported file, called float.onnx, float.tflite, int8.onnx or int8.tflite."""
    precision, form, weights = path.stem, path.suffix[1:], weights_file(path)
    size, apart = path.stat().st_size, None
    if weights.is_file():
        size, apart = size + weights.stat().st_size, sha256(weights)
    return FileEntry(path.name, form, precision, size, sha256(path), apart)  # type: ignore[arg-type]  # by the names above
