"""A `.pt2` file in: a network as torch.export saved it. Loading one unpickles, so that it takes a person's trust."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgegap.errors import InputError, ModelError
from edgegap.graph.trace import quiet

if TYPE_CHECKING:
    import torch

PROGRAM = ".pt2"


def refuse_untrusted(spec: str, weights: Path | None, *, trust: bool) -> None:
    """Refuse what does not go with an exported program.

    Raises:
        InputError: no trust, or weights beside those in the file.
    """
    if weights is not None:
        raise InputError("an exported program carries its own weights", where=str(weights), hint="Leave out --weights.")
    if not trust:
        what = "is an exported program: loading one unpickles, which can run any code that is in the file"
        hint = "`edgegap export --trust` loads it: only where you know who made it. Else give its factory, or an .onnx."
        raise InputError(what, where=spec, hint=hint)


def load_program(path: Path) -> torch.nn.Module:
    """The network in an exported program; loading it may run any code.

    Raises:
        ModelError: the file is missing or damaged, holds ops that this torch does not know, or a network in training
            mode.
    """
    import torch  # noqa: PLC0415  # slow to import

    if not path.is_file():
        raise ModelError("no such file", where=str(path), hint="Check the path.")
    try:
        with quiet():
            network = torch.export.load(path).module()
    except Exception as error:  # a damaged file raises whatever zipfile, pickle, json or torch happens to meet
        reason = (str(error).strip().splitlines() or [""])[0]
        what = f"is not an exported program that this torch can load: {type(error).__name__}: {reason}"
        hint = "Write it again with torch.export.save, by the torch that is installed here."
        raise ModelError(what, where=str(path), hint=hint) from error
    for node in network.graph.nodes:
        if _trains(node):
            what = f"was exported in training mode ({node.target})"
            raise ModelError(what, where=str(path), hint="Call eval() on the network before torch.export.export.")
    return network


def _trains(node: torch.fx.Node) -> bool:
    """Whether an op's own argument says so: a program has no eval() that could take it back."""
    schema = getattr(node.target, "_schema", None)
    names = () if schema is None else [argument.name for argument in schema.arguments]
    given = dict(zip(names, node.args, strict=False)) | node.kwargs
    return any(given.get(name) is True for name in ("train", "training"))
