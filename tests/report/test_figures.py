"""How figures are written: no negative zero, no 100 % that is not whole, units that stay with their figure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegap.report.figures import clipped, day, interval, number, p_value, percent, points, printable, short, size


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number(-0.001), "0.00"),
        (number(None), "–"),
        (number(12345.678, 1), "12,345.7"),
        (points(-0.12), "−0.12\u00a0pp"),
        (points(0.05, sign=True), "+0.05\u00a0pp"),
        (interval([-0.12, 0.23]), "−0.12 to 0.23\u00a0pp"),
        (percent(98.91, 1), "98.9\u00a0%"),
        (p_value(0.65), "p\u00a0=\u00a00.65"),
        (p_value(0.0421), "p\u00a0=\u00a00.042"),
        (p_value(1e-9), "p\u00a0<\u00a00.001"),
        (size(92768), "91\u00a0KiB"),
        (size(4000992), "3.82\u00a0MiB"),
        (short("/home/anna/networks.py:nin"), "networks.py:nin"),
        (short("digits:test"), "digits:test"),
        (short("/"), "/"),
        (day("2026-11-24T18:53:01+00:00"), "24 November 2026, 18:53 UTC"),
        (day("yesterday"), "yesterday"),
    ],
)
def test_figures_are_written_so(written: str, expected: str) -> None:
    assert written == expected


@given(st.floats(0, 99.999))
def test_less_than_all_is_never_written_as_all(value: float) -> None:
    assert not percent(value, 1).startswith("100")


@given(st.floats(-1e6, 1e6))
def test_nothing_is_written_as_minus_zero(value: float) -> None:
    assert number(value).strip("−0.,") != "" or "−" not in number(value)


@given(st.text(), st.integers(3, 30))
def test_a_clipped_name_fits_and_can_be_drawn(name: str, length: int) -> None:
    clip = clipped(name, length)
    assert len(clip) <= length
    assert clip.encode().decode() == printable(clip)
