"""Hypothesis with a few examples, the same on every machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import Phase, settings


def seeded(examples: int) -> Callable[..., Any]:
    """hypothesis.given with settings of its own: a profile would hold for the tests of other folders too."""
    chosen = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],  # explaining a failure takes minutes
    )

    def given(*strategies: Any, **named: Any) -> Callable[..., Any]:
        return lambda test: chosen(hypothesis.given(*strategies, **named)(test))

    return given


few = seeded(12)
many = seeded(50)
