"""Clock, temperature and throttling in words, from what devices say."""

from __future__ import annotations

import pytest

from edgegap.bench.conditions import Sample, conditions, state


def sample(**told: int | None) -> Sample:
    nothing = dict.fromkeys(("khz", "millicelsius", "get_throttled", "cooling", "throttle_count"))
    return {**nothing, **told}


def test_a_device_that_tells_nothing_is_known_to_nobody() -> None:
    around = conditions([sample(), sample()])
    assert around.before == around.during == around.after == state([sample()])
    assert around.during.frequency_mhz is around.during.temperature_c is around.during.throttled is None


def test_over_a_time_the_clock_is_the_lowest_and_the_temperature_the_highest() -> None:
    around = conditions(
        [
            sample(khz=600_000, millicelsius=41_000),
            sample(khz=1_500_000, millicelsius=70_500),
            sample(khz=1_000_000, millicelsius=82_000),
            sample(khz=1_500_000, millicelsius=80_000),
        ]
    )
    assert (around.before.frequency_mhz, around.before.temperature_c) == (600, 41)
    assert (around.during.frequency_mhz, around.during.temperature_c) == (1000, 82)
    assert (around.after.frequency_mhz, around.after.temperature_c) == (1500, 80)


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x0, []),
        (0x1, ["under-voltage"]),
        (0x2, ["frequency capped"]),
        (0x4, ["throttled"]),
        (0x8, ["soft temperature limit"]),
        (0x50005, ["under-voltage", "throttled"]),
        (0x50000, []),  # since boot, and not now
    ],
)
def test_the_firmwares_bits_in_words(bits: int, words: list[str]) -> None:
    assert state([sample(get_throttled=bits)]).throttled == words


def test_what_came_and_went_between_two_samples_is_remembered() -> None:
    around = conditions([sample(get_throttled=0x10000), sample(get_throttled=0x50000)])
    assert around.before.throttled == around.after.throttled == []
    assert around.during.throttled == ["throttled"]


def test_what_went_before_the_measurement_is_not_held_against_it() -> None:
    assert conditions([sample(get_throttled=0x50000)] * 3).during.throttled == []


@pytest.mark.parametrize(("cooling", "slowed"), [(0, False), (1, True)])
def test_the_kernels_cooling_throttles(cooling: int, slowed: bool) -> None:
    throttled = state([sample(cooling=0), sample(cooling=cooling)]).throttled
    assert throttled is not None
    assert bool(throttled) == slowed


@pytest.mark.parametrize(("after", "slowed"), [(7, False), (8, True)])
def test_an_x86_cpu_throttled_if_its_count_grew(after: int, slowed: bool) -> None:
    throttled = conditions([sample(throttle_count=7), sample(throttle_count=after)]).during.throttled
    assert throttled is not None
    assert bool(throttled) == slowed
