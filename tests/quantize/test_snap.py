"""Snapped scales: what the groups make fulfils the rules that `bounds` checks, and costs little."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from ops.seeded import many

from edgegap.quantize.snap import LOSS_CAP, AddGroup, add_is_tie_free, ratio_is_tie_free, snap_ratio

log_scales = st.floats(-5, 2)
near = st.lists(st.floats(0, 2), min_size=3, max_size=6)


def group_of(exponents: list[float], outputs: int = 1, capped: int = 0) -> AddGroup:
    wanted = {f"v{k}": float(np.float32(0.001 * np.exp(e))) for k, e in enumerate(exponents)}
    names = list(wanted)
    return AddGroup(wanted, set(names[:outputs]), set(names[:capped]))


def in_float32(scales: dict[str, float]) -> dict[str, float]:
    """The scales as a model holds them."""
    return {name: float(np.float32(scale)) for name, scale in scales.items()}


@many(near, st.integers(1, 3), st.integers(0, 2))
def test_every_add_of_a_group_is_tie_free(exponents, outputs: int, capped: int) -> None:
    group = group_of(exponents, outputs, capped)
    scales = in_float32(group.snapped())
    for y in group.outputs:
        for a in scales:
            for b in scales:
                assert add_is_tie_free(scales[a], scales[b], scales[y])


@many(near)
def test_scales_within_a_factor_of_seven_lose_less_than_the_cap(exponents) -> None:
    group = group_of(exponents, len(exponents))
    scales = group.snapped()
    assert max(group.losses(scales).values()) <= LOSS_CAP


@many(near)
def test_a_scale_is_never_smaller_than_wanted_but_where_a_clip_caps_it(exponents) -> None:
    group = group_of(exponents, outputs=2, capped=1)
    scales = group.snapped()
    for name, wanted in group.wanted.items():
        if name in group.capped:
            assert scales[name] <= wanted * (1 + 1e-9)
        else:
            assert scales[name] >= wanted * (1 - 1e-9)


def distance_to_tie(a: float, b: float, y: float) -> float:
    """The least distance of any sum of two integers from a tie, in LSB, by brute force."""
    integers = np.arange(-255, 256)
    sums = (integers[:, None] * a + integers * b) / y
    within = np.abs(sums) < 257
    return float(np.abs(sums - np.floor(sums) - 0.5)[within].min())


@many(near, st.floats(-1e-5, 1e-5), st.integers(0, 2))
def test_no_sum_comes_near_a_tie_at_scales_that_are_accepted(exponents, by: float, which: int) -> None:
    """Those of a group are, and those of a perturbed group are only where another group has them."""
    y, *operands = in_float32(group_of(exponents).snapped()).values()
    scales = [*operands[:2], y]
    assert distance_to_tie(*scales) >= 4e-4
    scales[which] *= 1 + by
    assert distance_to_tie(*scales) >= 4e-4 or not add_is_tie_free(*scales)


@many(st.integers(0, 2), st.floats(1e-6, 1e-4))
def test_a_perturbed_group_is_rejected(which: int, by: float) -> None:
    scales = [1001 * 2.0**-14, 517 * 2.0**-14, 997 * 2.0**-14]
    assert add_is_tie_free(*scales)
    scales[which] *= 1 + 2.0**-20 if by < 2.0**-20 else 1 + 2.0**-19
    assert not add_is_tie_free(*scales)


def test_an_even_output_is_rejected() -> None:
    base = 2.0**-10
    assert add_is_tie_free(3 * base, 5 * base, 7 * base)
    assert not add_is_tie_free(3 * base, 5 * base, 8 * base)
    assert add_is_tie_free(8 * base, 16 * base, 8 * base)  # 1 and 2 over 1


def test_an_output_finer_than_xnnpack_takes_is_rejected() -> None:
    assert add_is_tie_free(255.0, 1.0, 1.0)
    assert not add_is_tie_free(257.0, 1.0, 1.0)


@many(st.floats(-12, 0), st.floats(-5, 8))
def test_a_snapped_ratio_is_tie_free_and_costs_a_thousandth(step: float, ratio: float) -> None:
    exact = float(np.float32(np.exp(step)))
    scale = snap_ratio(exact, exact * np.exp(ratio))
    assert ratio_is_tie_free(exact, scale)
    assert 1 - 1e-6 <= scale / (exact * np.exp(ratio)) <= 1.0021


@many(st.integers(1, 1000), st.integers(1, 1000))
def test_a_ratio_with_an_even_denominator_is_rejected(m: int, half: int) -> None:
    n = 2 * half
    if (m // np.gcd(m, n), n // np.gcd(m, n))[1] % 2 == 0:
        assert not ratio_is_tie_free(m / n, 1.0)
