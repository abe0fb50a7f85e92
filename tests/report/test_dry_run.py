"""A dry run in a terminal: every refused node, and names as they are."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from edgegap.report.dry_run import show_dry_run

SOFTMAX = {
    "op": "Softmax",
    "module": "head.[b]",
    "source": "net.py:7, in forward: x[0]",
    "why": "no exact form",
    "hint": "Leave it out.",
    "files": ["onnx"],
}
RECORD: dict[str, Any] = {
    "schema": "edgegap.dry_run/1",
    "model": "[red]net.py:net",
    "input_shape": [1, 3, 32, 32],
    "parameters": 12345,
    "macs": 6789000,
    "peak_activation_bytes": {"float": 8192, "int8": 2048},
    "int8_ops": {"Add": 1, "Conv": 4},
    "float_ops": [{"node": "last", "op": "Gemm", "module": "fc"}],
    "refused": [],
    "complete": True,
    "exactness": "bounded",
    "bounded": [{"where": "Add node 'sum'", "lsb": 1, "why": "its scales allow a tie"}],
    "files": [
        {
            "name": "int8.onnx",
            "bytes": 3072,
            "estimated": True,
            "needs_mib": 45.2,
            "fits": False,
            "runtimes": ["onnxruntime"],
        }
    ],
    "target": {"name": "[i]board", "memory_mib": 40, "runtimes": {"onnxruntime": "1.32.0"}},
    "seconds": 0.5,
}


def shown(record: dict[str, Any]) -> str:
    stream = io.StringIO()
    show_dry_run(record, Console(file=stream, width=200))
    return stream.getvalue()


def test_it_has_every_figure() -> None:
    text = shown(RECORD)
    for words in (
        "[red]net.py:net: input 1x3x32x32, 12,345 parameters, 6,789,000 multiply-accumulates",
        "activations 2.0 KiB in int8, 8.0 KiB in float",
        "int8: 1 Add, 4 Conv",
        "float: Gemm last (fc)",
        "bounded: Add node 'sum': its scales allow a tie",
        "On [i]board, 40 MiB",
        "about 3.0",
        "onnxruntime 1.32.0",
    ):
        assert words in text
    assert "refused" not in text


def test_every_refused_node_is_named_and_one_reason_is_given_once() -> None:
    nodes = [SOFTMAX | {"node": name} for name in ("s1", "s2")]
    text = shown(RECORD | {"refused": nodes, "files": [], "exactness": None, "bounded": [], "complete": False})
    assert "Softmax s1 (head.[b]), Softmax s2 (head.[b]): no exact form (onnx)" in text
    assert text.count("net.py:7, in forward: x[0]") == text.count("Leave it out.") == 1
    assert "would be" in text
    assert "could not be looked at" in text
    assert "KiB   " not in text


def test_a_network_of_which_nothing_is_known_is_shown() -> None:
    nothing = dict.fromkeys(("input_shape", "parameters", "macs", "peak_activation_bytes", "int8_ops", "exactness"))
    refused = [SOFTMAX | {"node": "s", "hint": ""}]
    text = shown(RECORD | nothing | {"refused": refused, "files": [], "bounded": [], "float_ops": []})
    assert "Softmax s" in text
