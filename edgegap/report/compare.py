"""Several bundles side by side, on the images that all of them were checked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from markupsafe import Markup

from edgegap.report.plots import Point, cost_plot
from edgegap.report.records import BundleRecords, Record
from edgegap.report.verdict import int8_result


@dataclass(frozen=True)
class Row:
    """One bundle of a comparison.

    Args:
        letter: that stands for it in plots.
        records: of the bundle.
        check: on the images of the comparison.
        int8: the result that speaks for int8; None where there is no int8 file.
    """

    letter: str
    records: BundleRecords
    check: Record
    int8: Record | None


@dataclass(frozen=True)
class Table:
    """Bundles that were checked on the same images.

    Args:
        data: DATA.
        n: how many images.
        rows: one for each bundle.
        plots: top-1 against size, and against latency for each device and thread count that has it, as SVG.
    """

    data: str
    n: int
    rows: Sequence[Row]
    plots: Sequence[Markup]


@dataclass(frozen=True)
class Comparison:
    """What can be compared.

    Args:
        letters: of the bundles, in the order of the call.
        tables: one for each data set that at least two of them were checked on.
    """

    letters: Sequence[str]
    tables: Sequence[Table]


def compare(bundles: Sequence[BundleRecords]) -> Comparison:
    """Put bundles side by side; of several checks of one bundle on the same images the newest counts."""
    letters = [ascii_uppercase[k] if k < len(ascii_uppercase) else str(k + 1) for k in range(len(bundles))]
    found: dict[tuple[str, int], dict[str, Row]] = {}
    for letter, records in zip(letters, bundles, strict=True):
        for check in records.checks.values():
            row = Row(letter, records, check, int8_result(check))
            found.setdefault((check["data"], check["n"]), {}).setdefault(letter, row)
    shared = [(key, list(rows.values())) for key, rows in found.items() if len(rows) > 1]
    return Comparison(letters, [Table(*key, rows, _plots(f"t{k}", rows)) for k, (key, rows) in enumerate(shared)])


def _plots(name: str, rows: Sequence[Row]) -> list[Markup]:
    """Size first; then latency, of one device and thread count each."""
    costs: dict[str, dict[tuple[str, str], float]] = {}
    top1: dict[tuple[str, str], float] = {}
    for row in rows:
        top1 |= {(row.letter, artifact): value for artifact, value in _top1(row.check).items()}
        for file in row.records.manifest["files"]:
            costs.setdefault("size, KiB", {})[row.letter, file["name"]] = file["bytes"] / 2**10
        for entry in (entry for bench in row.records.benches.values() for entry in bench["results"]):
            if entry["latency_ms"] is not None:
                threads = "1 thread" if entry["threads"] == 1 else f"{entry['threads']} threads"
                unit = f"latency on {entry['target']}, {threads}, ms"
                # The newest bench comes first, and counts.
                costs.setdefault(unit, {}).setdefault((row.letter, entry["artifact"]), entry["latency_ms"]["p50"])
    plots = []
    for k, (unit, found) in enumerate(costs.items()):
        points = [Point(*file, cost, top1[file]) for file, cost in found.items() if file in top1]
        if len({point.bundle for point in points}) > 1:
            plots.append(Markup(cost_plot(f"{name}-{k}", points, unit)))  # noqa: S704  # written as XML
    return plots


def _top1(check: Record) -> dict[str, float]:
    """The accuracy of each file that has one."""
    every = [check["reference"], *check["results"]]
    return {entry["artifact"]: entry["top1_pct"] for entry in every if entry["top1_pct"] is not None}
