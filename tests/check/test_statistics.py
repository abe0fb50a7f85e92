"""The drop's interval, its p-value and the gate, against published examples, statsmodels and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from edgegap.check.statistics import (
    benjamini_hochberg,
    mcnemar_p,
    non_inferiority,
    paired_drop_interval,
    sample_size,
)
from edgegap.errors import InputError, InternalError


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int, int]:
    n = draw(st.integers(1, 20_000))
    lost = draw(st.integers(0, n))
    return lost, draw(st.integers(0, n - lost)), n


# Tables are (both, first only, second only, neither). The limits are the published ones that the R package ratesci
# checks its own Tango interval against ('legacy & new methods match published examples' in its tests).
@pytest.mark.parametrize(
    ("table", "confidence", "published", "digits"),
    [
        pytest.param((43, 0, 1, 0), 0.90, (-0.096, 0.037), 3, id="Tango 1998, 44 pairs, one discordant"),
        pytest.param((4, 9, 3, 16), 0.95, (-0.027, 0.390), 3, id="ratesci, Tango interval of 32 pairs"),
        pytest.param((53, 16, 8, 9), 0.95, (-0.020, 0.207), 3, id="Agresti & Min 2005, Statistics in Medicine 24:729"),
        pytest.param((1, 1, 7, 12), 0.95, (-0.517, -0.026), 3, id="Fagerland, Lydersen & Laake 2014, SiM 33:2850"),
        pytest.param((8, 3, 1, 2), 0.95, (-0.1670, 0.4327), 4, id="Tang et al. 2010, 14 pairs, as ratesci quotes it"),
        pytest.param((7, 25, 2, 68), 0.95, (0.139, 0.321), 3, id="Chang et al. 2024, 102 pairs, as ratesci quotes it"),
    ],
)
def test_interval_agrees_with_published_examples(
    table: tuple[int, int, int, int], confidence: float, published: tuple[float, float], digits: int
) -> None:
    _, first, second, _ = table
    low, high = paired_drop_interval(first, second, sum(table), confidence)
    assert (round(low / 100, digits), round(high / 100, digits)) == published


@pytest.mark.parametrize(
    ("lost", "won", "published", "digits"),
    [
        pytest.param(2, 9, 0.06543, 5, id="Fay 2010, vignette of the R package exact2x2"),
        pytest.param(12, 2, 0.0129, 4, id="Armitage & Berry 1994 p. 127, tubercle bacilli, as StatsDirect gives it"),
        pytest.param(35, 28, 0.45, 2, id="Aoki, approval of the cabinet in January and April, 164 people"),
    ],
)
def test_mcnemar_agrees_with_published_examples(lost: int, won: int, published: float, digits: int) -> None:
    assert round(mcnemar_p(lost, won), digits) == published


@given(st.integers(0, 3000), st.integers(0, 3000))
@example(0, 1)
@example(0, 2000)
def test_mcnemar_agrees_with_statsmodels(lost: int, won: int) -> None:
    expected = mcnemar([[0, lost], [won, 0]], exact=True).pvalue if lost + won else 1.0
    assert mcnemar_p(lost, won) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_no_discordant_image_is_one() -> None:
    assert mcnemar_p(0, 0) == 1.0


@given(counts())
@example((0, 0, 1))
@example((1, 0, 1))
@example((0, 0, 10**9))
@example((10**6, 0, 10**6))
@example((10**6 - 1, 1, 10**6))
def test_interval_contains_the_drop_and_mirrors_when_lost_and_won_are_swapped(case: tuple[int, int, int]) -> None:
    lost, won, n = case
    low, high = paired_drop_interval(lost, won, n)
    assert -100 <= low <= 100 * (lost - won) / n <= high <= 100
    assert low < high
    assert paired_drop_interval(won, lost, n) == (-high, -low)


@given(counts())
@example((0, 0, 1))
def test_interval_ends_where_the_score_test_of_tangos_paper_reaches_its_quantile(case: tuple[int, int, int]) -> None:
    lost, won, n = case
    for end in paired_drop_interval(lost, won, n):
        drop = end / 100
        if abs(drop) > 0.9999:
            continue  # the statistic is 0/0 at +-1
        # his restricted estimate of the second discordant cell, in the paper's own form
        b = -lost - won + (2 * n - lost + won) * drop
        q = (math.sqrt(max(b * b + 8 * n * won * drop * (1 - drop), 0.0)) - b) / (4 * n)
        statistic = (lost - won - n * drop) / math.sqrt(n * (2 * q + drop * (1 - drop)))
        assert abs(statistic) == pytest.approx(1.959964, rel=1e-3)


@given(st.integers(0, 5000), st.integers(1, 5000))
@example(5000, 5000)
@example(0, 1)
def test_interval_is_wilsons_when_every_image_is_discordant(lost: int, n: int) -> None:
    lost = min(lost, n)
    low, high = proportion_confint(lost, n, method="wilson")
    assert paired_drop_interval(lost, n - lost, n) == pytest.approx((200 * low - 100, 200 * high - 100), abs=1e-6)


def test_nothing_lost_or_won_still_has_an_interval_that_narrows_with_n() -> None:
    z2 = 1.959963984540054**2
    for n in (1, 100, 10_000):
        assert paired_drop_interval(0, 0, n) == pytest.approx((-100 * z2 / (n + z2), 100 * z2 / (n + z2)))


@pytest.mark.parametrize("case", [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_impossible_counts_are_a_bug(case: tuple[int, int, int]) -> None:
    with pytest.raises(InternalError, match="cannot be"):
        paired_drop_interval(*case)


@pytest.mark.parametrize("n", [200, 1000, 10_000])
@pytest.mark.parametrize("discordant", [0.005, 0.015, 0.05])
@pytest.mark.parametrize("share", [0.0, 0.5], ids=["no drop", "half of the discordance is drop"])
def test_interval_covers_the_true_drop_94_to_96_times_in_100(n: int, discordant: float, share: float) -> None:
    """10,000 data sets each (standard error 0.22).

    With fewer than 10 discordant images expected, the counts are too few values to place 5 % outside; there the
    interval must err to the safe side, and only the lower bound is asserted.
    """
    drop = discordant * share
    cells = [(discordant + drop) / 2, (discordant - drop) / 2, 1 - discordant]
    draws = np.random.default_rng(20260725).multinomial(n, cells, size=10_000)[:, :2]
    tables, times = np.unique(draws, axis=0, return_counts=True)
    covered = 0
    for (lost, won), count in zip(tables.tolist(), times.tolist(), strict=True):
        low, high = paired_drop_interval(lost, won, n)
        covered += count * (low <= 100 * drop <= high)
    assert covered >= 9400
    if n * discordant >= 10:
        assert covered <= 9600


def test_gate_passes_only_when_the_whole_interval_lies_below() -> None:
    assert non_inferiority(60, 40, 10_000, 0.5).verdict == "passed"
    high = paired_drop_interval(60, 40, 10_000)[1]
    assert non_inferiority(60, 40, 10_000, high).verdict == "too few images"
    assert non_inferiority(60, 40, 10_000, math.nextafter(high, 1)).verdict == "passed"


def test_gate_fails_when_the_whole_interval_lies_above() -> None:
    assert non_inferiority(100, 0, 10_000, 0.5).verdict == "failed"
    assert non_inferiority(400, 0, 400, 0.5).verdict == "failed"


def test_gate_fails_when_the_drop_is_the_limit_itself_and_no_number_of_images_could_tell() -> None:
    gate = non_inferiority(5, 0, 1000, 0.5)
    assert (gate.verdict, gate.images_needed) == ("failed", None)


@given(counts(), st.sampled_from([0.1, 0.5, 1.0, 2.0, 10.0]))
@example((0, 0, 1), 0.5)
@example((1, 0, 1), 0.5)
@example((5, 2, 400), 0.5)
def test_the_images_asked_for_decide_and_fewer_do_not(case: tuple[int, int, int], limit: float) -> None:
    lost, won, n = case
    gate = non_inferiority(lost, won, n, limit)
    assert (gate.images_needed is None) == (gate.verdict != "too few images")
    if gate.images_needed is None:
        return
    assert gate.images_needed > n
    enough = math.ceil(gate.images_needed / n)  # whole copies of the data set have exactly its rates
    expected = "passed" if 100 * (lost - won) / n < limit else "failed"
    assert non_inferiority(enough * lost, enough * won, enough * n, limit).verdict == expected
    fewer = math.ceil(gate.images_needed / n) - 1
    assert non_inferiority(fewer * lost, fewer * won, fewer * n, limit).verdict == "too few images"


@pytest.mark.parametrize(
    ("limit", "discordant", "drop", "power"),
    [(0.5, 1.5, 0.0, 0.9), (0.5, 1.5, 0.0, 0.8), (1.0, 4.0, 0.2, 0.9), (2.0, 1.5, 0.5, 0.9)],
)
def test_planned_sample_size_passes_as_often_as_planned(
    limit: float, discordant: float, drop: float, power: float
) -> None:
    n = sample_size(limit, discordant, drop, power)
    cells = np.array([(discordant + drop) / 2, (discordant - drop) / 2, 100 - discordant]) / 100
    draws = np.random.default_rng(1).multinomial(n, cells, size=4000)[:, :2]
    tables, times = np.unique(draws, axis=0, return_counts=True)
    passed = [paired_drop_interval(lost, won, n)[1] < limit for lost, won in tables.tolist()]
    assert np.average(passed, weights=times) == pytest.approx(power, abs=0.03)


def test_planned_sample_size_grows_with_discordance_power_and_a_smaller_limit() -> None:
    n = sample_size(0.5)
    assert sample_size(0.5, discordant_pct=3) > n
    assert sample_size(0.5, power=0.95) > n
    assert sample_size(0.25) > n
    assert sample_size(0.5, true_drop_pp=0.2) > n > sample_size(0.5, true_drop_pp=-0.2)


def test_no_discordance_at_all_can_be_planned_for() -> None:
    assert 1 <= sample_size(0.5, discordant_pct=0) < sample_size(0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_drop_pp": 0}, "cannot be planned for"),
        ({"max_drop_pp": math.nan}, "cannot be planned for"),
        ({"max_drop_pp": 0.5, "power": 1}, "cannot be planned for"),
        ({"max_drop_pp": 0.5, "true_drop_pp": 0.5}, "no number of images"),
        ({"max_drop_pp": 5, "true_drop_pp": 2}, "at least 2 %"),
        ({"max_drop_pp": 5, "discordant_pct": 120}, "not 120 %"),
    ],
)
def test_plans_that_cannot_be_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sample_size(**arguments)


def test_benjamini_hochberg_agrees_with_statsmodels() -> None:
    p = np.random.default_rng(3).uniform(size=50) ** 3
    assert benjamini_hochberg(p.tolist()) == pytest.approx(multipletests(p, method="fdr_bh")[1].tolist())


def test_benjamini_hochberg_of_none_and_of_one() -> None:
    assert benjamini_hochberg([]) == []
    assert benjamini_hochberg([0.03]) == [0.03]
