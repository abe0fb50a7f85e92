"""Records as tables in a terminal: every figure that the record has, and names as they are."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from edgegap.report.terminal import show_export

RECORD: dict[str, Any] = {
    "schema": "edgegap.export/1",
    "bundle": "[red]out",
    "exactness": "bounded",
    "inexact": "Softmax node '[bold]x': no exact form",
    "files": [{"name": "int8.onnx", "bytes": 2048, "sha256": "0123456789abcdef" * 4}],
    "int8_ops": 7,
    "float_ops": [{"node": "gap[0]", "op": "ReduceMean", "module": "head.pool", "why": "computed in float"}],
    "identity": [
        {
            "artifacts": ["int8.onnx", "int8.tflite"],
            "runtimes": ["onnxruntime", "ai-edge-litert"],
            "targets": ["desktop", "desktop"],
            "compared": 12345,
            "different": 12,
            "max_lsb": 1,
            "bound_lsb": None,
            "first_layer": None,
        }
    ],
    "seconds": 1.25,
}


def shown(record: dict[str, Any]) -> str:
    stream = io.StringIO()
    show_export(record, Console(file=stream, width=200))
    return stream.getvalue()


def test_an_export_is_shown_with_everything_that_the_record_has() -> None:
    text = shown(RECORD)
    for words in (
        "Exported to [red]out",
        "int8.onnx",
        "2.0",
        "0123456789abcdef",
        "bounded (Softmax node '[bold]x': no exact form): 7 ops in int8",
        "12 of 12,345 integers differ, by at most 1 LSB (measured, no bound stated)",
        "ReduceMean gap[0] (head.pool): computed in float",
    ):
        assert words in text


def test_a_float_export_says_nothing_of_int8() -> None:
    text = shown(RECORD | {"exactness": None, "inexact": None, "int8_ops": 0, "float_ops": [], "identity": []})
    assert "int8.onnx" in text
    assert "integers" not in text
    assert "ops" not in text
