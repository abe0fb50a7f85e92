"""Was the drop in accuracy real, is it small enough, and how many images does it take to know?

Float and int8 answer the same images, so every test here is paired: only the discordant images count, those that int8
lost (float right, int8 wrong) and those that it won (the other way round). A drop is (lost - won) / n, positive where
int8 is worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import binomtest, false_discovery_control

from edgegap.errors import InputError, InternalError

DISCORDANT_PCT = 1.5
"""Share of images that an int8 CNN loses or wins, assumed before anything was measured.

Measured with EdgeGAP's int8: ResNet-20 0.6 %, ResNet-8 0.8 % (10,000 CIFAR-10 images), SqueezeNet 1.25 %, MobileNetV2
1.5 % (400 ImageNet images). The default is the largest of them.
"""

_CONFIDENCE = 0.95
_MOST_IMAGES = 10**9


@dataclass(frozen=True)
class Gate:
    """The verdict on 'the drop is below so many percentage points'.

    Args:
        verdict: 'too few images' where the interval leaves it open.
        images_needed: then, how many images with the same rates of lost and won ones would decide it, either way.
    """

    verdict: Literal["passed", "failed", "too few images"]
    images_needed: int | None


def paired_drop_interval(lost: int, won: int, n: int, confidence: float = _CONFIDENCE) -> tuple[float, float]:
    """Tango's score interval for a difference of paired proportions.

    Tango, 'Equivalence test and confidence interval for the difference in proportions for the paired-sample design',
    Statistics in Medicine 17:891-908, 1998: all drops that the score test with the restricted maximum-likelihood
    estimate (his equations 24 to 26) does not reject. It stays within -100..100 and is sound for few or no discordant
    images, where the Wald interval has width 0.

    Args:
        lost: images that float has right and int8 wrong.
        won: the other way round.
        n: all images, at least 1.
        confidence: two-sided.

    Returns:
        Lower and upper end of the drop, percentage points.

    Raises:
        InternalError: counts that cannot be.
    """
    if n < 1 or min(lost, won) < 0 or lost + won > n:
        raise InternalError(f"{lost} images lost and {won} won of {n} cannot be")
    return -100 * _upper(won, lost, n, confidence), 100 * _upper(lost, won, n, confidence)


def mcnemar_p(lost: int, won: int) -> float:
    """Exact two-sided p-value of 'int8 loses as many images as it wins'.

    McNemar, 'Note on the sampling error of the difference between correlated proportions or percentages', Psychometrika
    12:153-157, 1947; exact by the binomial distribution of the discordant images, as in Fay, 'Two-sided exact tests and
    matching confidence intervals for discrete data', The R Journal 2(1):53-58, 2010. 1 where none is discordant.
    """
    return float(binomtest(lost, lost + won).pvalue) if lost + won else 1.0


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """p-values adjusted so that calling those below q a finding keeps the false discovery rate at q.

    Benjamini & Hochberg, 'Controlling the false discovery rate', J. R. Statist. Soc. B 57:289-300, 1995.
    """
    return [float(adjusted) for adjusted in false_discovery_control(p)] if p else []


def non_inferiority(lost: int, won: int, n: int, max_drop_pp: float) -> Gate:
    """Is the drop below `max_drop_pp`? Passes only when the whole 95 % interval lies below it.

    Fails when the whole interval lies at or above it, or when no number of images could tell because the drop is the
    limit itself. In between there are too few images: `images_needed` is then the smallest n at which the interval
    would clear the limit if lost and won grew with n. That is how many *can* decide, when the rates stay as they are;
    they do not have to, so it is a guide and no promise (`sample_size` plans with a stated power).

    Args:
        lost: images that float has right and int8 wrong.
        won: the other way round.
        n: all images, at least 1.
        max_drop_pp: the limit, percentage points.

    Raises:
        InternalError: counts that cannot be.
    """
    low, high = paired_drop_interval(lost, won, n)
    if high < max_drop_pp:
        return Gate("passed", None)
    if low >= max_drop_pp:
        return Gate("failed", None)
    needed = _images_needed(lost / n, won / n, n, max_drop_pp)
    return Gate("failed", None) if needed is None else Gate("too few images", needed)


def sample_size(
    max_drop_pp: float, discordant_pct: float = DISCORDANT_PCT, true_drop_pp: float = 0.0, power: float = 0.9
) -> int:
    """How many images `non_inferiority` needs to pass, before any was looked at.

    Nam, 'Establishing equivalence of two treatments and sample size requirements in matched-pairs design', Biometrics
    53:1422-1430, 1997: the normal approximation to the power of the same score test, one-sided at 2.5 % because the
    gate reads the upper end of a 95 % interval.

    Args:
        max_drop_pp: the limit that the gate will be given, percentage points.
        discordant_pct: images lost and won together, percent. The answer grows in proportion to it, so the default is
            the largest share that EdgeGAP's own networks showed; after a first check take its (lost + won) / n.
        true_drop_pp: the drop that int8 really has, percentage points; 0 assumes that it is as good as float.
        power: the probability of passing when these assumptions hold.

    Raises:
        InputError: assumptions that contradict each other, or under which no number of images would pass.
    """
    if not 0 < max_drop_pp <= 100 or not 0 < power < 1:
        raise InputError(
            f"a largest drop of {max_drop_pp:g} points at power {power:g} cannot be planned for",
            hint="Give a drop above 0 and at most 100 points, and a power between 0 and 1.",
        )
    limit, discordant, drop = max_drop_pp / 100, discordant_pct / 100, true_drop_pp / 100
    if not abs(drop) <= discordant <= 1:
        raise InputError(
            f"a drop of {true_drop_pp:g} points needs at least {abs(true_drop_pp):g} % of the images lost or won, "
            f"not {discordant_pct:g} %",
            hint="Raise the discordant share, at most to 100 %.",
        )
    if drop >= limit:
        raise InputError(
            f"no number of images shows a drop of {true_drop_pp:g} points to be below {max_drop_pp:g}",
            hint="Allow a larger drop, or expect a smaller one.",
        )
    lost, won = (discordant + drop) / 2, (discordant - drop) / 2
    at_limit = math.sqrt(_discordance(lost, won, 1, limit) - limit**2)
    at_truth = math.sqrt(discordant - drop**2)
    spread = float(ndtri((1 + _CONFIDENCE) / 2) * at_limit + ndtri(power) * at_truth)
    return math.ceil((spread / (limit - drop)) ** 2)


def _discordance(lost: float, won: float, n: float, drop: float) -> float:
    """The most likely share of discordant images, if the drop really were `drop` (a fraction)."""
    discordant, difference = lost + won, lost - won
    root = (discordant - difference * drop) ** 2 + 4 * (n - discordant) * drop * (n * drop - difference)
    return (discordant + difference * drop + math.sqrt(max(root, 0.0))) / (2 * n)


def _upper(lost: float, won: float, n: float, confidence: float) -> float:
    """The upper end of Tango's interval, a fraction: where the score statistic reaches the normal quantile."""
    z = float(ndtri((1 + confidence) / 2))
    observed = (lost - won) / n
    if observed == 1:
        return 1.0

    def excess(drop: float) -> float:
        return n * (drop - observed) ** 2 - z**2 * (_discordance(lost, won, n, drop) - drop**2)

    # Where the variance at the observed drop is 0, that drop is a root too: start beside it.
    return float(brentq(excess, observed + 1e-6 / n, 1.0, xtol=1e-15))


def _images_needed(lost: float, won: float, n: int, max_drop_pp: float) -> int | None:
    """The smallest number of images above `n` that decides at these rates; None where a billion would not."""

    def decides(images: int) -> bool:
        if lost - won < max_drop_pp / 100:
            return 100 * _upper(lost * images, won * images, images, _CONFIDENCE) < max_drop_pp
        return -100 * _upper(won * images, lost * images, images, _CONFIDENCE) >= max_drop_pp

    undecided, decided = n, 2 * n
    while not decides(decided):
        if decided > _MOST_IMAGES:
            return None
        undecided, decided = decided, 2 * decided
    while decided - undecided > 1:
        middle = (undecided + decided) // 2
        undecided, decided = (undecided, middle) if decides(middle) else (middle, decided)
    return decided
