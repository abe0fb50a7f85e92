"""A report as one HTML file: no script, nothing from outside, images and plots inside."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edgegap import __version__
from edgegap.report.compare import Comparison, compare
from edgegap.report.plots import class_plot, interval_plot, layer_plot, sustained_plot
from edgegap.report.records import BundleRecords, Record
from edgegap.report.selection import shown_classes, shown_layers
from edgegap.report.templates import environment
from edgegap.report.verdict import Verdict, int8_result, verdict

PICTURE_BYTES = 3 * 2**20
"""Of class maps on one page, so that it stays below 5 MB when they are written in base 64."""


@dataclass(frozen=True)
class CheckView:
    """A check as the page shows it.

    Args:
        file: name of the record.
        record: 'edgegap.check/1'.
        verdict: on it.
        int8: the result that speaks for int8; None where there is no int8 file.
        classes: the rows that are shown, the largest loss first.
        layers: the rows that are shown, the worst first.
        plots: 'interval', 'classes' and 'layers' as SVG; None where there is nothing to plot.
    """

    file: str
    record: Record
    verdict: Verdict
    int8: Record | None
    classes: Sequence[Record]
    layers: Sequence[Record]
    plots: dict[str, Markup | None]


@dataclass(frozen=True)
class Picture:
    """A drawn class map.

    Args:
        entry: of 'edgegap.explain/1'.
        source: a data URI; None where the page has no room for it.
    """

    entry: Record
    source: str | None


@dataclass(frozen=True)
class BundleView:
    """A bundle as the page shows it.

    Args:
        records: of the bundle.
        checks: the newest first.
        pictures: of its class maps.
        sustained: latency over time as SVG, each with its runtime, number of threads and device.
    """

    records: BundleRecords
    checks: Sequence[CheckView]
    pictures: Sequence[Picture]
    sustained: Sequence[tuple[str, Markup]]


def render_page(bundles: Sequence[BundleRecords]) -> str:
    """The HTML of a report on one bundle, or on several side by side.

    Raises:
        BundleError: a picture that its record names is missing.
    """
    room = PICTURE_BYTES // len(bundles)
    views = [_bundle(f"b{k}", records, room) for k, records in enumerate(bundles)]
    comparison: Comparison | None = compare(bundles) if len(bundles) > 1 else None
    names = {"bundles": views, "comparison": comparison, "version": __version__}
    text: str = environment(html=True).get_template("page.html.j2").render(names)
    return text


def _bundle(name: str, records: BundleRecords, room: int) -> BundleView:
    checks = [_check(f"{name}c{k}", file, record) for k, (file, record) in enumerate(records.checks.items())]
    return BundleView(records, checks, _pictures(records, room), _sustained(name, records))


def _check(name: str, file: str, record: Record) -> CheckView:
    classes = shown_classes(record)
    layers = shown_layers(record)
    gate = record["gate"]
    plots = {
        "interval": interval_plot(f"{name}i", record["results"], gate and gate["max_drop_pp"]),
        "classes": class_plot(f"{name}k", classes) if any(row["drop_pp"] for row in classes) else None,
        "layers": layer_plot(f"{name}l", layers) if layers else None,
    }
    safe = {key: None if svg is None else Markup(svg) for key, svg in plots.items()}  # noqa: S704  # written as XML
    return CheckView(file, record, verdict(record), int8_result(record), classes, layers, safe)


def _sustained(name: str, records: BundleRecords) -> list[tuple[str, Markup]]:
    groups: dict[tuple[str, str], list[Record]] = {}
    for file, bench in records.benches.items():
        for row in (row for row in bench["results"] if row["sustained"]):
            threads = "1 thread" if row["threads"] == 1 else f"{row['threads']} threads"
            groups.setdefault((file, f"{row['runtime']}, {threads}, {row['target']}"), []).append(row)
    return [
        (caption, Markup(sustained_plot(f"{name}s{k}", rows)))  # noqa: S704  # written as XML
        for k, ((_, caption), rows) in enumerate(groups.items())
    ]


def _pictures(records: BundleRecords, room: int) -> list[Picture]:
    pictures = []
    for entry in (records.maps or {"images": []})["images"]:
        content = records.picture(entry["file"])
        room -= len(content)
        source = f"data:image/png;base64,{b64encode(content).decode()}" if room >= 0 else None
        pictures.append(Picture(entry, source))
    return pictures
