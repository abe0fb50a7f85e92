"""One small, seeded hypothesis profile for the folder: the same examples on every machine."""

from __future__ import annotations

import os

import pytest
from hypothesis import Phase, settings

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
pytest.register_assert_rewrite("ops.harness")
settings.register_profile(
    "ops",
    max_examples=30,
    deadline=None,
    derandomize=False,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],  # explaining a failure takes minutes
)
settings.load_profile("ops")
