"""docs/coverage.md, drawn from rows that are written here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

from coverage_page import page

MACHINE = {"cpu": "a processor", "cores": 2, "load_1_min": 0.1, "versions": {"onnxruntime": "1.32.0"}}
RUN = {"size": 224, "recipe": "default", "images": 16, "date": "2026-01-02", "machine": MACHINE}
COST = {"parameters": 11_700_000, "made_by": "1.0", "seconds": 10.0, "cpu_seconds": 9.0, "peak_mib": 900.0}
LISTED = ["torchvision a", "torchvision b", "torchvision c", "timm d"]


def exported(network: str, **more: Any) -> dict[str, Any]:
    identity = {"compared": 16_000, "different": 0, "max_lsb": 0, "bound_lsb": 0}
    out = {"exactness": "exact", "inexact": [], "identity": identity, "float_ops": [], "transposes": 0, "sqnr_db": 30.0}
    return {"network": network, **RUN, **COST, **out, **more}


def refused(network: str, op: str | None, why: str) -> dict[str, Any]:
    refusal = {"op": op, "node": "n0", "module": "features.0", "why": why, "status": 2}
    return {"network": network, **RUN, **COST, "refusal": refusal}


def test_the_page_counts_what_was_exported_and_what_is_exact() -> None:
    inexact = [{"where": "Softmax node 's'", "lsb": 1, "why": "no exact form"}]
    text = page([exported("torchvision a"), exported("torchvision b", exactness="bounded", inexact=inexact)], LISTED)
    assert "torchvision: **2 of 3** exported (2 measured so far), 1 of them `exact`" in text
    assert "1 LSB from Softmax node 's': no exact form" in text


def test_refusals_are_grouped_by_reason_the_commonest_first() -> None:
    rows = [refused("torchvision a", None, "too large"), *(refused(f"torchvision {n}", "Erf", "no form") for n in "bc")]
    text = page(rows, LISTED).partition("## Refused")[2]
    assert text.index("2: Erf: no form (torchvision b, torchvision c)") < text.index("1: too large (torchvision a)")


@pytest.mark.parametrize(("bound", "named"), [(0, "torchvision a"), (3, "none"), (None, "none")])
def test_a_difference_beyond_its_bound_is_named(bound: int | None, named: str) -> None:
    identity = {"compared": 16_000, "different": 7, "max_lsb": 2, "bound_lsb": bound}
    text = page([exported("torchvision a", identity=identity)], LISTED)
    assert f"Beyond their bound: {named}." in text
    assert "7 / 16,000 (by 2)" in text


def test_memory_over_the_limit_is_named_unless_the_network_is_large() -> None:
    heavy = [exported("torchvision a", peak_mib=5000.0), exported("timm d", peak_mib=6000.0, parameters=300_000_000)]
    assert "below 200 million parameters: torchvision a." in page(heavy, LISTED)
