"""What a report shows of long lists. The record has them whole."""

from __future__ import annotations

from edgegap.report.records import Record

MOST_ROWS = 20
"""Rows of a plot or a table."""

SIGNIFICANT = 0.05
"""An adjusted p below this is more than chance."""


def shown_classes(check: Record) -> list[Record]:
    """The classes from the largest loss to the largest gain; of more than `MOST_ROWS` those that changed most."""
    rows = check["per_class"] or []
    if len(rows) > MOST_ROWS:
        rows = sorted((row for row in rows if row["drop_pp"]), key=lambda row: (-abs(row["drop_pp"]), row["p"] or 1))
    return sorted(rows[:MOST_ROWS], key=lambda row: -(row["drop_pp"] or 0))


def changed_classes(check: Record) -> list[Record]:
    """The classes that changed by more than chance, from the largest loss to the largest gain."""
    rows = [row for row in check["per_class"] or [] if is_significant(row)]
    return sorted(rows, key=lambda row: -(row["drop_pp"] or 0))


def is_significant(row: Record) -> bool:
    """Whether a class changed by more than chance, after adjustment for the number of classes."""
    return row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT


def shown_layers(check: Record) -> list[Record]:
    """The worst layers, at most `MOST_ROWS`, the worst first."""
    return [] if check["layers"] is None else list(check["layers"]["rows"][:MOST_ROWS])


def layer_name(row: Record) -> str:
    """The module's path where the layer has one, else its own name."""
    return str(row["module"] or row["name"])
