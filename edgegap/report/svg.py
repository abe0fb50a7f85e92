"""A matplotlib figure as an SVG element that takes its colours and its font from the page around it."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgegap.report.figures import printable

WIDTH = 340
"""User units, about the CSS pixels that a telephone gives: text keeps its size there."""

TEXT = 12

_PROPERTIES = {f"#00000{k}": name for k, name in enumerate(("ink", "muted", "accent", "rule", "bad", "paper"), 1)}
"""Colours that no one sees: the page's custom properties take their place."""

INK, MUTED, ACCENT, RULE, BAD, PAPER = _PROPERTIES

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, and it can be searched and read aloud
    "svg.hashsalt": "edgegap",  # the same record makes the same page
    "text.parse_math": False,  # a class or a device may be called $x$
    "font.size": TEXT,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.unicode_minus": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


@contextmanager
def plot(height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, `height` units high, and the style of every plot for as long as it is drawn."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # The browser has the glyphs; matplotlib only measures with a font of its own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
        figure.patch.set_visible(False)
        yield figure, figure.add_subplot()


def to_svg(figure: Figure, name: str, label: str) -> str:
    """An `<svg>` element without width and height. Call it inside `plot`.

    Args:
        figure: to draw.
        name: what its ids begin with, another for each plot on a page.
        label: what it shows, for those who cannot see it.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(drawn.getvalue())  # noqa: S314  # matplotlib's own, a line above
    _prune(root)
    _restyle(root)
    _rename(root, name)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {"role": "img", "aria-label": printable(label)}
    return ElementTree.tostring(root, encoding="unicode")


def _prune(element: ElementTree.Element) -> None:
    """Drop what says nothing: metadata, matplotlib's style for every element, and empty groups."""
    for child in list(element):
        _prune(child)
        empty = child.tag in (f"{{{_SVG}}}g", f"{{{_SVG}}}defs") and not len(child)
        if empty or child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
            element.remove(child)


def _restyle(root: ElementTree.Element) -> None:
    for element in root.iter():
        style = element.get("style")
        if style is not None:
            style = re.sub(r"font-family: [^;]*;?", "", style)
            element.set("style", re.sub("|".join(_PROPERTIES), lambda m: f"var(--{_PROPERTIES[m[0]]})", style))


def _rename(root: ElementTree.Element, name: str) -> None:
    """Keep the ids that something refers to, each under a name of its own."""
    href = f"{{{_XLINK}}}href"
    used = {element.get(href, "")[1:] for element in root.iter()}
    used |= {element.get("clip-path", "")[5:-1] for element in root.iter()}
    names = {old: f"{name}-{k}" for k, old in enumerate(sorted(used))}
    for element in root.iter():
        if (id_ := element.attrib.pop("id", None)) in names:
            element.set("id", names[id_])
        if href in element.attrib:
            element.set(href, f"#{names[element.attrib[href][1:]]}")
        if "clip-path" in element.attrib:
            element.set("clip-path", f"url(#{names[element.attrib['clip-path'][5:-1]]})")
