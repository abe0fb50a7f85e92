"""One small, seeded hypothesis profile for the folder: the same examples on every machine."""

from __future__ import annotations

import os

import hypothesis
from hypothesis import Phase

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
hypothesis.settings.register_profile("ops", max_examples=12, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate, Phase.shrink])
hypothesis.settings.load_profile("ops")
