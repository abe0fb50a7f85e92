"""Markdown that can be pasted: short, and names in it stay names."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgegap.report.markdown import code
from edgegap.report.report import report

from .bundles import full_bundle, make_bundle, record


def test_it_is_short_and_says_what_matters(tmp_path: Path) -> None:
    text = report([full_bundle(tmp_path / "digits")], "markdown").replace("\u00a0", " ")
    assert len(text.splitlines()) < 40
    assert "\n\n\n\n" not in text
    assert "**int8 fails the gate of 1.00 pp: 97.4 % of 500 images agree, and the drop of 1.20 pp" in text
    assert "| `int8.tflite` | 1 KiB | 98.00 % | +1.20 pp | 0.11 to 2.56 pp | 97.40 % | 7 | 1 |" in text
    assert "- `8`: +12.50 pp of 48 images, p = 0.031 after adjustment" in text
    assert "```\nedgegap check digits --data digits:test --max-drop 1\n```" in text


def test_every_row_of_a_table_has_the_same_columns(tmp_path: Path) -> None:
    text = report([make_bundle(tmp_path / "a", [record("early_check")])], "markdown")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 6
    assert {line.count("|") for line in rows} == {9}


def test_an_unchecked_bundle_says_what_to_run(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "a")
    assert f"Not checked yet: `edgegap check {bundle} --data DATA`" in report([bundle], "markdown")


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("cat", "`cat`"),
        ("<script>@all</script>", "`<script>@all</script>`"),
        ("a`b", "``a`b``"),
        ("`x`", "`` `x` ``"),
        ("two\nlines", "`two lines`"),
    ],
)
def test_a_name_is_a_code_span_whatever_it_holds(name: str, span: str) -> None:
    assert code(name) == span
