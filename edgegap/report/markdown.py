"""A report as short Markdown, to be pasted into a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgegap.report.figures import printable
from edgegap.report.records import BundleRecords
from edgegap.report.templates import environment

_WORST = 3


def render_markdown(bundles: Sequence[BundleRecords]) -> str:
    """GitHub's Markdown: for each bundle and data set the verdict, one row per file, and what stands out."""
    jinja = environment(html=False)
    jinja.filters["code"] = code
    text: str = jinja.get_template("report.md.j2").render(bundles=bundles, worst=_WORST)
    return text


def code(name: str) -> str:
    """A name from a file as a code span, in which Markdown finds no markup and no mention."""
    text = printable(name)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"
