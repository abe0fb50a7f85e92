"""`edgegap ops`: one table, of what supported_ops found."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from report.test_schemas import closed

from edgegap.schema import schema

from .harness import COMMAND, edgegap


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


@pytest.mark.parametrize("more", [[], ["--json", "-"]])
def test_a_reader_that_has_seen_enough_changes_no_exit_status(more: list[str]) -> None:
    process = subprocess.Popen([COMMAND, "ops", *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("more", [[], ["--json", "-"]])
def test_a_full_disk_behind_stdout_is_told(more: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([COMMAND, "ops", *more], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("edgegap: standard output: No space left on device\n")
    assert "Traceback" not in done.stderr
