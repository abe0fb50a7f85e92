"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real data sets and trained weights; tests that need them are skipped where they are absent."""
    folder = Path(os.environ.get("EDGEGAP_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set EDGEGAP_DATA to run this test")
    return folder
