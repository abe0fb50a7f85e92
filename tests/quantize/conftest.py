"""One small, seeded hypothesis profile for the folder: the same examples on every machine."""

from __future__ import annotations

import os

from hypothesis import Phase, settings

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
settings.register_profile(
    "quantize",
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],  # explaining a failure takes minutes
)
settings.load_profile("quantize")
