"""What a finished TFLite file says of itself."""

from __future__ import annotations

from pathlib import Path


def tensor_names(path: Path) -> set[str]:
    """The names of all tensors of a `.tflite` file."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415  # slow to import

    graph = schema.Model.GetRootAs(path.read_bytes(), 0).Subgraphs(0)
    return {graph.Tensors(k).Name().decode() for k in range(graph.TensorsLength())}
