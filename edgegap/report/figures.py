"""How figures and names are written, the same on the page, in Markdown and in plots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

NBSP = "\u00a0"
"""Keeps a figure and its unit on one line."""

MINUS = "\u2212"
NONE = "\u2013"
"""Stands for a figure that a record does not have."""


def number(value: float | None, digits: int = 2, unit: str = "", *, sign: bool = False) -> str:
    """`value` with its unit, a proper minus sign and no negative zero: '−0.12 pp'."""
    if value is None:
        return NONE
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    elif sign and value > 0:
        text = f"+{text}"
    return text.replace("-", MINUS) + (NBSP + unit if unit else "")


def percent(value: float | None, digits: int = 2) -> str:
    """'98.91 %'; what is less than 100 is never rounded up to it."""
    while value is not None and value < 100 and digits < 4 and round(value, digits) == 100:
        digits += 1
    return number(value, digits, "%")


def points(value: float | None, *, sign: bool = False) -> str:
    """Percentage points: '0.05 pp'."""
    return number(value, 2, "pp", sign=sign)


def interval(ends: Sequence[float] | None) -> str:
    """'−0.12 to 0.23 pp'."""
    return NONE if ends is None else f"{number(ends[0])} to {points(ends[1])}"


def p_value(p: float | None) -> str:
    """'p = 0.65', 'p < 0.001'."""
    if p is None:
        return NONE
    return f"p{NBSP}<{NBSP}0.001" if p < 0.001 else f"p{NBSP}={NBSP}{p:.{2 if p >= 0.1 else 3}f}"


def count(value: int | None) -> str:
    """'10,000'."""
    return NONE if value is None else f"{value:,}"


def images(n: int) -> str:
    """'10,000 images', '1 image'."""
    return f"{n:,}{NBSP}image{'' if n == 1 else 's'}"


def size(octets: int) -> str:
    """'91 KiB', '3.82 MiB'."""
    return number(octets / 2**20, 2, "MiB") if octets >= 2**20 else number(octets / 2**10, 0, "KiB")


def short(name: str) -> str:
    """The last part of a path, for headings: 'cifar10_test.npz', 'networks.py:resnet8'."""
    return name.rstrip("/").rsplit("/", 1)[-1] or name


def clipped(name: str, length: int) -> str:
    """`name` with its middle left out where it is longer than `length`, and with nothing that cannot be drawn."""
    name = printable(name)
    if len(name) <= length:
        return name
    head = (length - 1) // 2
    return f"{name[:head]}…{name[head + 1 - length :]}"


def printable(name: str) -> str:
    """`name` without control characters and lone surrogates, which neither XML nor UTF-8 can hold."""
    return "".join(" " if c.isspace() else c if c.isprintable() else "\ufffd" for c in name)


def day(date: str | None) -> str:
    """'24 November 2026, 18:53 UTC' of an ISO 8601 date; as it is where it is none."""
    try:
        moment = datetime.fromisoformat(date or "")
    except ValueError:
        return date or NONE
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".strip()


def sentence(text: str) -> str:
    """`text` from a record with a capital letter in front and a full stop behind."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else text
