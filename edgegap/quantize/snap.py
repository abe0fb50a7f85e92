"""Scales snapped so that no output can land on a tie, where ONNX Runtime and XNNPACK would round differently.

ONNX Runtime adds in float and rounds half to even, XNNPACK multiplies in fixed point and rounds half up. They agree
everywhere but near k + 1/2, so the scales are chosen such that no sum of integers comes near one:

    Add     y = (n_a A + n_b B) / n_y for integers A, B, where each scale is n * base. With n_y odd, y = k + 1/2 would
            make 2 (n_a A + n_b B) = n_y (2k + 1), even = odd: no tie, and the nearest sum is 1 / (2 n_y) away.
    GAP     y = S m / n for the sum S of the map, where s_out = s_in n / (m H W). With n odd the same argument holds.
    Mul     y = A B m / n, where s_out = s_a s_b n / m, likewise. (At a ratio of 1/2 they part in 1 %.)

The bound on n (1023 and 4095) keeps that distance well above the error of either kernel's arithmetic (about 3e-5 LSB).
`base` has 14 significant bits, so that every n * base is exact in float32. XNNPACK takes no Add of an
operand 256 times as coarse as the output, and the kernel that LiteRT takes instead is wrong by far: so n_y >= 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

ADD_LIMIT = 1023
RATIO_LIMIT = 4095
LOSS_CAP = 0.02
"""The largest share of a scale that snapping may cost a value that more than Adds depend on."""

_LEAST_OUTPUT = 5
_BASE_BITS = 14


@dataclass
class AddGroup:
    """Classes connected by Adds, which have scales of one base.

    Args:
        wanted: the scale that each class would have alone.
        outputs: the classes that an Add computes: their n is odd.
        capped: the classes whose upper end may not grow, because a Clip ends there: their n is rounded down.
    """

    wanted: dict[str, float]
    outputs: set[str] = field(default_factory=set)
    capped: set[str] = field(default_factory=set)

    def snapped(self) -> dict[str, float]:
        """The scales n * base, with the base of those tried that costs the worst-hit class least."""
        largest = max(self.wanted.values())
        candidates = [self._at(_round_up(largest / n)) for n in range(ADD_LIMIT - 2, ADD_LIMIT // 2, -2)]
        return min(candidates, key=lambda scales: max(self.losses(scales).values()))

    def losses(self, scales: Mapping[str, float]) -> dict[str, float]:
        """By how much each scale is off what the class would have alone, as a share of it."""
        return {name: abs(scales[name] / wanted - 1) for name, wanted in self.wanted.items()}

    def _at(self, base: float) -> dict[str, float]:
        scales = {}
        for name, wanted in self.wanted.items():
            down = name in self.capped
            n = int(np.floor(wanted / base + 1e-9) if down else np.ceil(wanted / base - 1e-9))
            if name in self.outputs and n % 2 == 0:
                n += -1 if down else 1
            scales[name] = max(n, _LEAST_OUTPUT if name in self.outputs else 1) * base
        return scales


def _round_up(x: float) -> float:
    """`x` rounded up to 14 significant bits."""
    mantissa, exponent = np.frexp(x)
    return float(np.ldexp(np.ceil(mantissa * 2**_BASE_BITS) / 2**_BASE_BITS, exponent))


def snap_ratio(step: float, wanted: float) -> float:
    """The scale of a GlobalAveragePool's or Mul's output: the nearest tie-free one that is not smaller than `wanted`.

    Args:
        step: what one step of the integer behind the output is worth: s_in / (H W) of a sum, s_a s_b of a product.
        wanted: the scale that the output would have alone.
    """
    ratio = wanted / step
    m = max(1, int(2000 / ratio))
    n = int(np.ceil(ratio * m - 1e-9))
    n += 1 - n % 2
    return float(np.float32(step * n / m))


def add_is_tie_free(scale_a: float, scale_b: float, scale_out: float) -> bool:
    """Whether the scales of an Add fulfil the rules above, to within float32."""
    ratios = [Fraction(s / scale_out).limit_denominator(ADD_LIMIT) for s in (scale_a, scale_b)]
    near = all(abs(float(r) * scale_out / s - 1) < 1e-7 for r, s in zip(ratios, (scale_a, scale_b), strict=True) if s)
    common = int(np.lcm(ratios[0].denominator, ratios[1].denominator))
    return near and common % 2 == 1 and common <= ADD_LIMIT and max(scale_a, scale_b) < 256 * scale_out


def ratio_is_tie_free(step: float, scale_out: float) -> bool:
    """Whether the scales of a GlobalAveragePool or Mul fulfil the rule above, to within float32."""
    multiples = step / scale_out * np.arange(1, RATIO_LIMIT + 1, 2)
    return bool((np.abs(multiples - np.rint(multiples)) <= 1e-7 * multiples).any())
