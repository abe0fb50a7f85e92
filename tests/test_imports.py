"""Imports run one way, and what is heavy is imported by the verb that needs it, when it is invoked."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "onnx", "onnx_ir", "onnxruntime", "ai_edge_litert"}
HEAVY |= {"scipy", "sklearn", "jinja2", "matplotlib", "jsonschema"}
# A module may import its own package and those of the layers below.
LAYERS = [
    {"errors", "heap", "progress", "ort"},
    {"resources", "disk", "usercode", "schema", "cache", "needs_torch"},
    {"settings_file"},
    {"data"},
    {"models"},
    {"graph"},
    {"evaluator"},
    {"tflite", "quantize"},
    {"qdq"},
    {"run", "bundle"},
    {"check"},
    {"bench"},
    {"export", "report"},
    {"train"},
    {"cli"},
]
EDGEGAP_HELP = "import sys; sys.argv = ['edgegap', '--help']; from edgegap.cli import run; sys.exit(run())"
IMPORT_EVERY_MODULE = """
import importlib, pkgutil, edgegap
for module in pkgutil.walk_packages(edgegap.__path__, "edgegap."):
    importlib.import_module(module.name)
"""


def imported_by(code: str) -> set[str]:
    """The top-level packages that a new Python imports while it runs `code`."""
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == 0, "\n".join(line for line in lines if not line.startswith("import time:"))
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines if line.startswith("import time:")}


def part(path: Path) -> str:
    """`graph` of edgegap/graph/nodes.py, `errors` of edgegap/errors.py."""
    return path.relative_to(CHECKOUT / "edgegap").with_suffix("").parts[0]


def edgegap_imports(path: Path) -> set[str]:
    """The parts of edgegap that a module imports, wherever in its text."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("edgegap.")}


def test_imports_run_one_way() -> None:
    layer_of = {name: layer for layer, names in enumerate(LAYERS) for name in names} | {"__init__": 0}
    wrong = []
    for path in (CHECKOUT / "edgegap").rglob("*.py"):
        here = part(path)
        assert here in layer_of, f"{here} is new: give it a layer"
        wrong += [
            f"{path.relative_to(CHECKOUT)} imports edgegap.{there}"
            for there in edgegap_imports(path) - {here}
            if layer_of[there] >= layer_of[here]
        ]
    assert not wrong


def test_importing_edgegap_imports_nothing_heavy() -> None:
    imported = imported_by("import edgegap")
    assert "edgegap" in imported
    assert not imported & HEAVY


def test_help_imports_nothing_heavy() -> None:
    imported = imported_by(EDGEGAP_HELP)
    assert "click" in imported
    assert not imported & HEAVY


def test_no_module_imports_torch_before_it_is_called() -> None:
    imported = imported_by(IMPORT_EVERY_MODULE)
    assert "onnx_ir" in imported, "the modules that handle models were not imported"
    assert "torch" not in imported
