"""The plots of a report, each an `<svg>` with a text that says what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from edgegap.report.figures import clipped, interval, number, points
from edgegap.report.selection import is_significant, layer_name
from edgegap.report.svg import ACCENT, BAD, INK, MUTED, PAPER, plot, to_svg

_ROW = 24
_AXIS = 44
_NAME = 22
_UNIT = 44
_MOST_DB = 80
"""A layer without noise stands for 150 dB, and would leave no room for the others."""


@dataclass(frozen=True)
class Point:
    """A file in a plot of accuracy against cost.

    Args:
        bundle: the letter of its bundle.
        artifact: the file.
        cost: in the plot's unit.
        top1_pct: its accuracy.
    """

    bundle: str
    artifact: str
    cost: float
    top1_pct: float

    @property
    def is_int8(self) -> bool:
        """Whether it is an int8 file."""
        return self.artifact.startswith("int8")


def interval_plot(name: str, results: Sequence[dict[str, Any]], max_drop_pp: float | None) -> str | None:
    """The drop of each file with its 95 % interval, against 0 and the gate; None where no result has an interval."""
    rows = [row for row in results if row["drop_ci95_pp"] is not None]
    if not rows:
        return None
    with plot(_ROW * len(rows) + _AXIS + (16 if max_drop_pp is not None else 0)) as (figure, axes):
        axes.axvline(0, color=INK, linewidth=1)
        for k, row in enumerate(rows):
            low, high = row["drop_ci95_pp"]
            axes.plot([low, high], [k, k], color=ACCENT, linewidth=3, solid_capstyle="round")
            axes.plot([row["drop_pp"]], [k], "o", color=ACCENT, markersize=9)
        said = "; ".join(f"{r['artifact']} {points(r['drop_pp'])}, {interval(r['drop_ci95_pp'])}" for r in rows)
        label = f"Drop in top-1 with its 95 % interval. {said}."
        if max_drop_pp is not None:
            axes.axvline(max_drop_pp, color=BAD, linewidth=1.5, linestyle=(0, (4, 3)))
            axes.annotate(
                f"gate {points(max_drop_pp)}",
                (max_drop_pp, 1),
                (0, 3),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                ha="center",
                color=BAD,
            )
            label += f" The gate stands at {points(max_drop_pp)}."
        _names(axes, [row["artifact"] for row in rows])
        axes.set_xlabel("drop in top-1, percentage points")
        return to_svg(figure, name, label)


def class_plot(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """The drop of each class; those that are significant after adjustment are filled."""
    with plot(_ROW * len(rows) + _AXIS) as (figure, axes):
        axes.axvline(0, color=INK, linewidth=1)
        for k, row in enumerate(rows):
            real = is_significant(row)
            colour = ACCENT if real else MUTED
            axes.barh(k, row["drop_pp"] or 0, height=0.6, color=colour if real else PAPER, edgecolor=colour)
        _names(axes, [row["name"] for row in rows])
        axes.set_xlabel("drop, percentage points")
        ends = [f"{row['name']} {points(row['drop_pp'])}" for row in (rows[0], rows[-1])]
        return to_svg(figure, name, f"Drop of each class, from {clipped(ends[0], 40)} to {clipped(ends[1], 40)}.")


def layer_plot(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """The signal-to-quantization-noise ratio of each layer: accumulated as a bar, of the layer alone as a dot."""
    with plot(_ROW * len(rows) + _AXIS) as (figure, axes):
        for k, row in enumerate(rows):
            if row["sqnr_db"] is not None:
                axes.barh(k, row["sqnr_db"], height=0.6, color=ACCENT)
            if row["local_sqnr_db"] is not None:
                axes.plot([row["local_sqnr_db"]], [k], "o", color=PAPER, markeredgecolor=INK, markersize=8)
        axes.axvline(0, color=INK, linewidth=1)
        left, right = axes.get_xlim()
        axes.set_xlim(max(left, -_MOST_DB), min(right, _MOST_DB))
        _names(axes, [layer_name(row) for row in rows])
        axes.set_xlabel("signal to quantization noise, dB")
        worst = rows[0]
        said = f"the worst is {clipped(layer_name(worst), 60)} with {number(worst['sqnr_db'], 1, 'dB')}"
        return to_svg(figure, name, f"Signal-to-quantization-noise ratio of {len(rows)} layers; {said}.")


def cost_plot(name: str, every: Sequence[Point], unit: str) -> str:
    """Accuracy against a cost on a logarithmic axis; a step line joins the files that no other beats in both."""
    with plot(300) as (figure, axes):
        axes.set_xscale("log")
        best = _front(every)
        axes.step([p.cost for p in best], [p.top1_pct for p in best], where="post", color=MUTED, linewidth=1)
        for point in every:
            shape = "s" if point.artifact.endswith(".tflite") else "o"
            fill = ACCENT if point.is_int8 else PAPER
            axes.plot([point.cost], [point.top1_pct], shape, color=fill, markeredgecolor=ACCENT, markersize=8)
        # One letter for the ONNX and the TFLite file, which often lie on one another.
        for point in {(p.bundle, p.is_int8): p for p in sorted(every, key=lambda p: p.cost)}.values():
            axes.annotate(point.bundle, (point.cost, point.top1_pct), (6, 5), textcoords="offset points", color=INK)
        axes.minorticks_off()
        costs = [p.cost for p in every]
        ticks = [t for e in range(-3, 9) for t in (10**e, 3 * 10**e) if min(costs) / 1.8 <= t <= max(costs) * 1.8]
        axes.set_xticks(ticks, [f"{tick:,g}" for tick in ticks])
        axes.set_xlim(min(costs) / 1.6, max(costs) * 1.9)
        axes.margins(y=0.12)
        axes.grid(axis="both")
        axes.set_xlabel(clipped(unit, _UNIT))
        axes.set_ylabel("top-1, %")
        said = "; ".join(f"{p.bundle} {p.artifact} {number(p.top1_pct, 2, '%')} at {p.cost:,.4g}" for p in best)
        return to_svg(figure, name, f"Top-1 against {unit}. No other file beats these in both: {said}.")


def sustained_plot(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """Latency over time, of files that took turns: the median of each window as a line, up to its 90th percentile."""
    with plot(220) as (figure, axes):
        for row in rows:
            colour = ACCENT if row["artifact"].startswith("int8") else MUTED
            minutes = [window["at_s"] / 60 for window in row["sustained"]]
            p50 = [window["p50_ms"] for window in row["sustained"]]
            axes.plot(minutes, p50, color=colour, linewidth=1.5, label=clipped(row["artifact"], _NAME))
            p90 = [window["p90_ms"] for window in row["sustained"]]
            axes.fill_between(minutes, p50, p90, color=colour, alpha=0.25, linewidth=0)
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside upper left", ncols=len(rows), frameon=False)
        axes.grid(axis="y")
        axes.set_xlabel("minutes")
        axes.set_ylabel("latency, ms")
        ends = [(row["artifact"], row["sustained"][0]["p50_ms"], row["sustained"][-1]["p50_ms"]) for row in rows]
        said = "; ".join(f"{clipped(file, 40)} {number(a, 3)} to {number(b, 3, 'ms')}" for file, a, b in ends)
        return to_svg(figure, name, f"Latency over time, from the first to the last window: {said}.")


def _front(every: Sequence[Point]) -> list[Point]:
    front: list[Point] = []
    for point in sorted(every, key=lambda p: (p.cost, -p.top1_pct)):
        if not front or point.top1_pct > front[-1].top1_pct:
            front.append(point)
    return front


def _names(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows, the first on top."""
    labels = [clipped(name, _NAME) for name in names]
    axes.set_yticks(range(len(names)), labels=labels)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
