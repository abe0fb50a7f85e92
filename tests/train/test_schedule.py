"""The learning rate rises, falls, and never leaves its range."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgegap.train.schedule import learning_rate


@given(st.integers(1, 3000), st.floats(1e-6, 10))
def test_it_rises_to_the_highest_and_falls_from_there(steps: int, highest: float) -> None:
    rates = [learning_rate(step, steps, highest) for step in range(steps)]
    assert all(0 < rate <= highest * (1 + 1e-9) for rate in rates)
    top = rates.index(max(rates))
    assert top <= 0.05 * steps + 1
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_it_ends_near_zero_and_is_half_in_the_middle_of_the_fall() -> None:
    assert learning_rate(999, 1000, 1.0) < 1e-4
    assert abs(learning_rate(525, 1000, 1.0) - 0.5) < 1e-9
    assert learning_rate(50, 1000, 1.0) == 1.0
