"""From an image as it was stored to what the network was trained on."""

from __future__ import annotations

import re
import reprlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgegap.errors import DataError, SettingsError

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]

INTERPOLATIONS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
}
CHANNELS = {"rgb": 3, "bgr": 3, "grey": 1}
LONGEST_SIDE = 65535  # as long as a side of a JPEG can be
LARGEST_NUMBER = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Preprocessing:
    """Resize, then centre crop, then value = (pixel * scale - mean) / std.

    Args:
        resize: pixels of the shorter side after resizing; None leaves the size alone. The longer side becomes
            int(resize * long / short), and Pillow's resize always antialiases: torchvision's `Resize` on a PIL image.
        crop: side of the square cut from the centre, at offset floor((size - crop) / 2); None cuts nothing.
        interpolation: `bilinear`, `bicubic`, `nearest` or `lanczos`.
        channels: `rgb`, `bgr` or `grey` converts every image to that, as Pillow does. None keeps grey images grey
            and colour images RGB, unless `mean` or `std` has three values: then it means `rgb`.
        scale: what a pixel (0 to 255) is multiplied by.
        mean: one value, or one for each channel in the order that `channels` gives.
        std: like `mean`; never 0.

    Raises:
        SettingsError: a value that is not allowed; `where` is its key.
    """

    resize: int | None = None
    crop: int | None = None
    interpolation: str = "bilinear"
    channels: str | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for key, (allows, allowed) in _RULES.items():
            if not allows(getattr(self, key)):
                raise SettingsError(
                    f"{reprlib.repr(getattr(self, key))} is not allowed", where=key, hint=f"Allowed: {allowed}."
                )
        if self.resize and self.crop and self.crop > self.resize:
            raise SettingsError(
                f"a crop of {self.crop} does not fit into a shorter side of {self.resize}",
                where="crop",
                hint=f"Allowed: at most resize, {self.resize}.",
            )
        for key in ("mean", "std"):
            if self.channels == "grey" and len(getattr(self, key)) != 1:
                raise SettingsError("three values for one grey channel", where=key, hint="Allowed: a list of 1 number.")
        if not np.isfinite(self.table(3 if self._channels != "grey" else 1)).all():
            raise SettingsError(
                "(pixel * scale - mean) / std is larger than a float32 holds",
                where="scale",
                hint="Make scale or mean smaller, or std larger.",
            )

    @property
    def _channels(self) -> str | None:
        return self.channels or ("rgb" if 3 in (len(self.mean), len(self.std)) else None)

    def pixels(self, image: Pixels) -> Pixels:
        """Resize, crop and reorder the channels of one image.

        Args:
            image: uint8 [H, W], [H, W, 1] (grey) or [H, W, 3] (RGB).

        Returns:
            uint8 [H, W, C].

        Raises:
            DataError: not such an image, too small for the crop, or too large once resized.
        """
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (1,), (3,)):
            raise DataError(
                f"an image of {image.dtype} {list(image.shape)}",
                hint="Pixels are uint8 [H, W], [H, W, 1] (grey) or [H, W, 3] (RGB).",
            )
        image = image.reshape(*image.shape[:2], -1)
        if self._channels == "grey" and image.shape[2] == 3:
            image = np.asarray(Image.fromarray(image).convert("L"))[..., np.newaxis]
        if self.resize is not None:
            image = self._resized(image, self.resize)
        if self.crop is not None:
            image = self._cropped(image, self.crop)
        if self._channels in ("rgb", "bgr"):
            image = image.repeat(3, axis=2) if image.shape[2] == 1 else image
        return image[..., ::-1] if self._channels == "bgr" else image

    def _resized(self, image: Pixels, shorter: int) -> Pixels:
        height, width, channels = image.shape
        short, long = sorted((height, width))
        longer = int(shorter * long / short)
        # The bound of Pillow's own check for decompression bombs, which looks at files but not at resizing.
        if Image.MAX_IMAGE_PIXELS is not None and shorter * longer > Image.MAX_IMAGE_PIXELS:
            raise DataError(
                f"{width} x {height} pixels, resized to a shorter side of {shorter}, are {shorter * longer} pixels",
                hint=f"Crop the image or make resize smaller: at most {Image.MAX_IMAGE_PIXELS} pixels are allowed.",
            )
        size = (shorter, longer) if width <= height else (longer, shorter)
        picture = Image.fromarray(image[..., 0] if channels == 1 else image)
        resized = np.asarray(picture.resize(size, INTERPOLATIONS[self.interpolation]))
        return resized.reshape(*resized.shape[:2], channels)

    def _cropped(self, image: Pixels, side: int) -> Pixels:
        height, width = image.shape[:2]
        if min(height, width) < side:
            raise DataError(
                f"{width} x {height} pixels are too small for a crop of {side}",
                hint=f"Add resize (at least {side}) to the preprocessing, or make crop smaller.",
            )
        top, left = (height - side) // 2, (width - side) // 2
        return image[top : top + side, left : left + side]

    def table(self, channels: int) -> Values:
        """The value of each of the 256 pixels, computed in float64 and rounded once.

        Args:
            channels: C, the channels of the images that `pixels` gives.

        Returns:
            float32 [C, 256].

        Raises:
            SettingsError: `mean` or `std` has neither 1 nor C values.
        """
        for key in ("mean", "std"):
            if len(getattr(self, key)) not in (1, channels):
                raise SettingsError(
                    f"{len(getattr(self, key))} values for images of {channels} channel(s)",
                    where=key,
                    hint=f"Give 1 or {channels} value(s), or set channels to what the network takes.",
                )
        mean, std = (np.array(values, dtype=np.float64)[:, np.newaxis] for values in (self.mean, self.std))
        with np.errstate(over="ignore"):
            table = ((np.arange(256, dtype=np.float64) * self.scale - mean) / std).astype(np.float32)
        return np.broadcast_to(table, (channels, 256)).copy()

    def apply(self, pixels: Pixels) -> Values:
        """The network's input: uint8 [N, H, W, C] to float32 [N, C, H, W], by `table`."""
        count, height, width, channels = pixels.shape
        values = np.empty((count, channels, height, width), dtype=np.float32)
        for channel, table in enumerate(self.table(channels)):
            values[:, channel] = table[pixels[..., channel]]
        return values

    def to_json(self) -> dict[str, Any]:
        """A record of JSON types that `from_json` reads."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Preprocessing:
        """Read what `to_json` wrote; missing keys take their default.

        Raises:
            SettingsError: an unknown key or a value that is not allowed; `where` is its key.
        """
        allowed = [field.name for field in fields(cls)]
        for key in record:
            if key not in allowed:
                raise SettingsError("no such key", where=key, hint=f"Allowed keys: {', '.join(allowed)}.")
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
        }
        return cls(**values)


def _is_number(value: object) -> bool:
    # NaN fails the comparison, and an int of any size can be compared.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER


def _is_side(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LONGEST_SIDE


def _are_numbers(value: object) -> bool:
    return isinstance(value, tuple) and len(value) in (1, 3) and all(map(_is_number, value))


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "resize": (lambda value: value is None or _is_side(value), f"a whole number of pixels, 1 to {LONGEST_SIDE}"),
    "crop": (lambda value: value is None or _is_side(value), f"a whole number of pixels, 1 to {LONGEST_SIDE}"),
    "interpolation": (lambda value: isinstance(value, str) and value in INTERPOLATIONS, ", ".join(INTERPOLATIONS)),
    "channels": (
        lambda value: value is None or (isinstance(value, str) and value in CHANNELS),
        ", ".join(CHANNELS),
    ),
    "scale": (lambda value: _is_number(value) and value != 0, "a number that is not 0 (1/255 is 0.00392156862745098)"),
    "mean": (_are_numbers, "a list of 1 or 3 numbers"),
    "std": (lambda value: _are_numbers(value) and 0 not in value, "a list of 1 or 3 numbers that are not 0"),
}

PRESETS: dict[str, Preprocessing] = {
    "imagenet": Preprocessing(
        resize=256, crop=224, channels="rgb", scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    ),
    "cifar10": Preprocessing(
        channels="rgb", scale=1 / 255, mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010)
    ),
    "unit": Preprocessing(scale=1 / 255),
    "raw": Preprocessing(),
}


def load_preprocessing(spec: str) -> Preprocessing:
    """The preprocessing that `spec` names: a key of `PRESETS`, or a .toml file with any of the class's keys.

    Raises:
        SettingsError: no such name or file, or a mistake in the file: `where` gives the file, the line and the key.
    """
    if spec in PRESETS:
        return PRESETS[spec]
    if not spec.endswith(".toml"):
        raise SettingsError(
            f"no preprocessing is called {spec!r}", hint=f"Give one of {', '.join(PRESETS)}, or a .toml file."
        )
    try:
        text = Path(spec).read_bytes().decode("utf-8-sig")
        record = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(
            f"cannot be read: {error.strerror}", where=spec, hint="Check the path of the preprocessing file."
        ) from error
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not TOML, an integer of too many digits
        raise SettingsError(
            f"not a TOML file: {error}", where=spec, hint="A line looks like: mean = [0.485, 0.456, 0.406]"
        ) from error
    try:
        return Preprocessing.from_json(record)
    except SettingsError as error:
        raise SettingsError(
            error.what, where=f"{spec}{_line(text, error.where or '')}: {error.where}", hint=error.hint
        ) from None


def _line(text: str, key: str) -> str:
    """`:N` for the line that sets `key` (tomllib keeps no positions), or nothing when it is spelled unusually."""
    setter = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[].=]")
    return next((f":{number}" for number, line in enumerate(text.split("\n"), 1) if setter.match(line)), "")
