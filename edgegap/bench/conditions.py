"""A device's clock, temperature and throttling in words and units, from the samples of run/conditions.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

Sample = dict[str, int | None]

_FIRMWARE = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
"""The bits of `vcgencmd get_throttled`: 0 to 3 now, 16 to 19 since boot (Raspberry Pi's documentation of vcgencmd)."""

_SINCE_BOOT = 16


@dataclass(frozen=True)
class State:
    """A device at one moment, or over a time. What it does not tell is None.

    Args:
        frequency_mhz: of its CPU; the lowest over a time.
        temperature_c: of its CPU, in degrees Celsius; the highest over a time.
        throttled: what slows it down; empty where nothing does.
    """

    frequency_mhz: float | None
    temperature_c: float | None
    throttled: list[str] | None


@dataclass(frozen=True)
class Conditions:
    """A device around a measurement.

    Args:
        before: it began.
        during: it; what happened between two samples is seen where the device counts or remembers it.
        after: right after its last run.
    """

    before: State
    during: State
    after: State

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def conditions(samples: Sequence[Sample]) -> Conditions:
    """From the samples before, while and right after something ran: at least two."""
    return Conditions(state(samples[:1]), state(samples[1:], before=samples[0]), state(samples[-1:]))


def state(samples: Sequence[Sample], before: Sample | None = None) -> State:
    """Over some samples.

    Args:
        samples: at least one.
        before: an earlier one, to tell what the device remembers of the time since then.
    """
    khz = [value for sample in samples if (value := sample["khz"]) is not None]
    millicelsius = [value for sample in samples if (value := sample["millicelsius"]) is not None]
    return State(
        frequency_mhz=min(khz) / 1e3 if khz else None,
        temperature_c=max(millicelsius) / 1e3 if millicelsius else None,
        throttled=_throttled(samples, before),
    )


def _throttled(samples: Sequence[Sample], before: Sample | None) -> list[str] | None:
    known, words = False, []
    bits = [value for sample in samples if (value := sample["get_throttled"]) is not None]
    if bits:
        known = True
        since = bits[-1] & ~(before["get_throttled"] or 0) if before else 0
        for bit, word in enumerate(_FIRMWARE):
            now = any(value >> bit & 1 for value in bits)
            words += [word] if now or since >> (bit + _SINCE_BOOT) & 1 else []
    cooling = [value for sample in samples if (value := sample["cooling"]) is not None]
    if cooling:
        known = True
        words += ["slowed down by the kernel to cool"] if max(cooling) else []
    count, earlier_count = samples[-1]["throttle_count"], before["throttle_count"] if before else None
    if count is not None and earlier_count is not None:
        known = True
        words += ["slowed down by the CPU to cool"] if count > earlier_count else []
    return words if known else None
