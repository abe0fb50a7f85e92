"""The learning rate of each step."""

from __future__ import annotations

import math

_WARM_UP = 0.05
"""Share of the steps in which the rate rises. Goyal et al., 2017 (arXiv:1706.02677), section 2.2: a full rate at once
spoils the first steps."""


def learning_rate(step: int, steps: int, highest: float) -> float:
    """A straight line up, then half a cosine down to 0.

    Loshchilov & Hutter, 'SGDR', 2017 (arXiv:1608.03983), equation 5, without restarts.

    Args:
        step: from 0 up.
        steps: how many there are in all.
        highest: the rate at the top.
    """
    rising = _WARM_UP * steps
    if step < rising:
        return highest * (step + 1) / (rising + 1)
    return highest * (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2
