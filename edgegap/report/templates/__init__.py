"""Jinja templates, and what they may use."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from edgegap.report import figures, selection
from edgegap.report.verdict import verdict

_FILTERS = (
    *(figures.number, figures.percent, figures.points, figures.interval, figures.p_value, figures.count),
    *(figures.images, figures.size, figures.short, figures.day, figures.sentence),
    *(selection.layer_name, selection.changed_classes, verdict),
)


def environment(*, html: bool) -> Environment:
    """Where templates are, with the filters that write figures; in HTML every value is escaped."""
    jinja = Environment(
        loader=PackageLoader("edgegap.report"),
        autoescape=html,  # noqa: S701  # Markdown is no HTML: it has an escape of its own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {function.__name__: function for function in _FILTERS}
    return jinja
