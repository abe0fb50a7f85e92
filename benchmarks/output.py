"""What every benchmark prints: the machine, a Markdown table, and a JSON file on request."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgegap.run.runner import why_exact_kernels


def markdown(rows: list[dict[str, Any]]) -> str:
    """A Markdown table; the keys of the first row are its head."""
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([str(row[key]) for key in head] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> dict[str, Any]:
    """What figures depend on: processor, cores, whether ORT needs its exact kernels, load, versions."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    tools = ("onnxruntime", "ai-edge-litert", "torch", "numpy")
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "ort_exact_kernels": why_exact_kernels(),
        "load_1_min": round(os.getloadavg()[0], 2),
        "versions": {tool: version(tool) for tool in tools},
    }


def describe(facts: dict[str, Any]) -> str:
    """One line on the machine."""
    versions = ", ".join(f"{tool} {number}" for tool, number in facts["versions"].items())
    return f"{facts['cpu']}, {facts['cores']} cores, load {facts['load_1_min']} at the start; {versions}"


def write_record(path: Path | None, schema: str, facts: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Write the JSON file, where one was asked for."""
    if path is not None:
        record = {"schema": schema, "machine": facts, "results": results}
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
