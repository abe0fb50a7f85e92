"""`edgegap ops`: one table, of what supported_ops found."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from report.test_schemas import closed

from edgegap.schema import schema

from .harness import edgegap


def test_the_table_has_every_supported_op_and_names_the_others(tmp_path: Path) -> None:
    done = edgegap("ops", "--json", tmp_path / "ops.json")
    assert done.status == 0, done.err
    record = json.loads((tmp_path / "ops.json").read_text())
    Draft202012Validator(closed(schema("ops"))).validate(record)
    table, refused = done.out.split("Not supported: ")
    lines = {line.split("  ")[0]: line for line in table.splitlines()}
    for row in record["ops"]:
        name = f"{row['op']} ({row['form']})" if row["form"] else row["op"]
        assert name in (lines if row["files"] else refused)
    assert lines["BatchNormalization (behind a Conv)"].split() == [
        *["BatchNormalization", "(behind", "a", "Conv)"],
        *["folded", "folded", "all", "exact"],
    ]
    assert lines["AveragePool"].split() == ["AveragePool", "as", "it", "is", "Conv", "all", "exact"]
