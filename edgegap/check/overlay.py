"""A picture of one image and its class maps, float beside int8 where there is one, on one scale of colours."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]

_SIDE = 256
"""Pixels that the longer side of a small image is brought to, or nearly."""

_MARGIN, _LINE, _TEXT, _BAR = 14, 20, 15, 14
_PAPER, _INK, _FADED, _ALARM = "#ffffff", "#1b1b1f", "#5c5c66", "#b3261e"
_OPACITY = 0.62
_SOFT = 40, 200
"""Grey levels of the image below a map: with less contrast, the colours stay nearer to those of the bar."""

_STOPS = ("#000004", "#1b0c41", "#4a0c6b", "#781c6d", "#a52c60", "#cf4446", "#ed6925", "#fb9b06", "#f7d13d", "#fcffa4")
"""Inferno (Smith & van der Walt, matplotlib, CC0): even steps look even, in print and to the colour-blind too."""


@dataclass(frozen=True)
class Caption:
    """What stands under a panel.

    Args:
        title: in ink.
        detail: fainter, below it.
        alarm: whether `detail` is a warning.
    """

    title: str
    detail: str
    alarm: bool = False


def draw(
    pixels: Pixels,
    maps: Sequence[NDArray[np.float32]],
    captions: Sequence[Caption],
    heading: str,
) -> Image.Image:
    """The image, and each map laid over it, side by side, with a bar of their common colours.

    Args:
        pixels: uint8 [H, W, 3], RGB; a small image is enlarged, each pixel a square.
        maps: [h, w] each, float first; enlarged bilinearly, coloured from the least value of all to the largest.
        captions: of the image and of each map.
        heading: one line above.

    Returns:
        RGB.
    """
    height, width = pixels.shape[:2]
    factor = max(1, round(_SIDE / max(height, width)))
    size = (width * factor, height * factor)
    image = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
    lo, hi = float(min(map(np.min, maps))), float(max(map(np.max, maps)))
    panels = [image, *(_overlay(image, each, lo, hi) for each in maps)]
    font = ImageFont.load_default(_TEXT)
    labels = f"{hi:.3g}", f"{lo:.3g}"
    right = _BAR + 6 + int(max(font.getlength(label) for label in labels)) + 1
    bar = _MARGIN + len(panels) * (size[0] + _MARGIN)
    sheet = Image.new(
        "RGB",
        (bar + right + _MARGIN, 3 * _MARGIN + size[1] + 3 * _LINE),
        _PAPER,
    )
    pen = ImageDraw.Draw(sheet)
    top = _MARGIN + _LINE + _MARGIN // 2
    pen.text((_MARGIN, _MARGIN), _fit(heading, font, sheet.width - 2 * _MARGIN), _FADED, font)
    for k, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        left, below = _MARGIN + k * (size[0] + _MARGIN), top + size[1] + _MARGIN // 2
        sheet.paste(panel, (left, top))
        pen.text((left, below), _fit(caption.title, font, size[0]), _INK, font)
        faint = _ALARM if caption.alarm else _FADED
        pen.text((left, below + _LINE), _fit(caption.detail, font, size[0]), faint, font)
    sheet.paste(_bar(size[1]), (bar, top))
    for label, y in zip(labels, (top, top + size[1] - _TEXT), strict=True):
        pen.text((bar + _BAR + 6, y), label, _FADED, font)
    return sheet


def _overlay(image: Image.Image, values: NDArray[np.float32], lo: float, hi: float) -> Image.Image:
    """`image` in grey under the colours of a map; a map that is one value everywhere has the lowest colour."""
    enlarged = np.asarray(Image.fromarray(values.astype(np.float32)).resize(image.size, Image.Resampling.BILINEAR))
    share = np.clip((enlarged - lo) / (hi - lo), 0, 1) if hi > lo else np.zeros_like(enlarged)
    soft = image.convert("L").point([round(_SOFT[0] + (_SOFT[1] - _SOFT[0]) * level / 255) for level in range(256)])
    return Image.blend(soft.convert("RGB"), Image.fromarray(_colours(share)), _OPACITY)


def _bar(height: int) -> Image.Image:
    ramp = np.linspace(1, 0, height)[:, None].repeat(_BAR, axis=1)
    return Image.fromarray(_colours(ramp))


def _colours(share: NDArray[np.floating]) -> Pixels:
    """The colours [..., 3] of numbers from 0 to 1."""
    stops = np.array([[int(stop[k : k + 2], 16) for k in (1, 3, 5)] for stop in _STOPS])
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(share, at, stops[:, channel]) for channel in range(3)], axis=-1).astype(np.uint8)


def _fit(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """`text`, its middle left out where it is too wide."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    lengths = range(2, len(text))
    fitting = bisect_right(lengths, 0, key=lambda keep: font.getlength(_shortened(text, keep)) > width)
    return _shortened(text, lengths[max(fitting - 1, 0)])


def _shortened(text: str, keep: int) -> str:
    return f"{text[: keep - keep // 2]}…{text[len(text) - keep // 2 :]}"
