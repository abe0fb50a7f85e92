"""The line of the user's own model that a node came from, where torch's exporter notes the calls that led to it."""

from __future__ import annotations

import re

import onnx_ir as ir

_TRACE = "pkg.torch.onnx.stack_trace"
_KEY = "edgegap.source_line"
_FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<function>\S+)(?:\n +(?P<code>.+))?')
_OF_TORCH = re.compile(r"(site|dist)-packages[/\\]torch[/\\]")


def note_source_line(node: ir.Node) -> None:
    """Keep the source line of a node as the exporter noted it, for messages: files that are written do not hold it."""
    line = _short(node.metadata_props.get(_TRACE, ""))
    if line:
        node.meta[_KEY] = line


def source_line(node: ir.Node) -> str | None:
    """`model.py:42, in forward: x = self.foo(x)`; None where it is unknown."""
    return node.meta.get(_KEY)


def inherit_source_line(node: ir.Node, like: ir.Node) -> None:
    """Let a new node have the source line of the one that it stands for."""
    if _KEY in like.meta:
        node.meta[_KEY] = like.meta[_KEY]


def _short(trace: str) -> str:
    """The innermost call outside torch, or ''. Calls come from the outermost to the innermost, as in a traceback."""
    for frame in reversed(list(_FRAME.finditer(trace))):
        if not _OF_TORCH.search(frame["file"]) and not frame["file"].startswith("<"):
            name = re.split(r"[/\\]", frame["file"])[-1]
            code = f": {frame['code'].strip()}" if frame["code"] else ""
            return f"{name}:{frame['line']}, in {frame['function']}{code}"
    return ""
