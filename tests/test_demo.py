"""`make demo`, the README's first command, ends in a report."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
INSTALLED = CHECKOUT / ".venv" / "installed"


@pytest.mark.skipif(not INSTALLED.exists() or shutil.which("make") is None, reason="needs make, and make setup")
def test_the_demo_ends_in_a_report(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    command = ["make", "demo", f"DEMO={tmp_path}", "--old-file", ".venv/installed"]  # what is installed is good enough
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "report.html").stat().st_size > 100_000
