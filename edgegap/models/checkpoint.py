"""A checkpoint: a trained network in one file, with what it takes to use it and to go on with its training.

The file is what torch.save makes of a dict of tensors, numbers and texts: `torch.load(path, weights_only=True)` reads
it, and runs no code of whoever wrote it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgegap.data import Preprocessing
from edgegap.disk import disk_errors
from edgegap.errors import EdgeGapError, MissingPackage, WeightsError
from edgegap.models.catalogue import Arguments

if TYPE_CHECKING:
    import torch

FORMAT = "edgegap.checkpoint/1"

MAKE_ROOM = "Make room there, or choose another file with -o."

SAFETENSORS = ".safetensors"

_NOT_WEIGHTS = "Save the weights alone: torch.save(network.state_dict(), path)."

_WRAPPERS = ("state_dict", "model_state_dict", "model", "network")
"""Where training scripts put the state dict, beside the optimizer and the epoch."""

EXTRA_STATE = "_extra_state"
"""How torch ends the keys of what a module's get_extra_state gives, which may be anything."""

_NAMED = 5
"""How many keys an error names."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A state dict from elsewhere.

    Args:
        state_dict: the weights, on the CPU, and the extra state of modules that have some.
        under: the key of the file's dict that they sat under; None where the file is the state dict.
    """

    state_dict: dict[str, torch.Tensor]
    under: str | None = None


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What the file holds.

    Args:
        model: whose weights they are, as MODEL: `zoo:NAME`, or `file.py:factory`.
        arguments: the network's; those of a factory give its input and its classes only.
        gap_head: whether `edgegap gap` gave the network its head.
        state_dict: the weights, on the CPU.
        classes: names in the order of the outputs, or None where the data has none.
        preprocessing: what the network was trained with; None for images that were preprocessed already.
        training: what --resume needs; None when the training is finished.
    """

    model: str
    arguments: Arguments
    gap_head: bool
    state_dict: dict[str, torch.Tensor]
    classes: tuple[str, ...] | None
    preprocessing: Preprocessing | None
    training: dict[str, Any] | None = None

    def save(self, path: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            DiskError: no space, no permission.
        """
        import torch  # noqa: PLC0415  # slow to import

        record = {
            "format": FORMAT,
            "architecture": {
                "model": self.model,
                "arguments": self.arguments.to_json(),
                "gap_head": self.gap_head,
            },
            "state_dict": self.state_dict,
            "classes": None if self.classes is None else list(self.classes),
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_json(),
            "training": self.training,
        }
        content = io.BytesIO()  # torch.save to a file reports a full disk as whatever its archive meets then
        torch.save(record, content)
        partial = path.with_name(f".{path.name}.partial")
        with disk_errors(path, MAKE_ROOM):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                partial.write_bytes(content.getbuffer())
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)


def read_weights(path: Path) -> Checkpoint | Weights:
    """A checkpoint, a state dict (alone, or in the dict that a training script saved), or a `.safetensors` file.

    Raises:
        MissingPackage: safetensors is not installed.
        WeightsError: no such file, none of these, or a checkpoint of another version or with something missing.
    """
    content = _read(path)
    if isinstance(content, dict) and isinstance(content.get("format"), str):
        return _checkpoint(content, path)
    if _is_state_dict(content):
        return Weights(content)
    for key in _WRAPPERS if isinstance(content, dict) else ():
        if _is_state_dict(content.get(key)) and content[key]:
            return Weights(content[key], key)
    keys = f" (with {', '.join(map(str, list(content)[:_NAMED]))})" if isinstance(content, dict) else ""
    what = f"holds a {type(content).__name__}{keys}, not a state dict"
    raise WeightsError(what, where=str(path), hint=_NOT_WEIGHTS)


def _read(path: Path) -> Any:
    import torch  # noqa: PLC0415  # slow to import

    try:
        file = open(path, "rb")  # noqa: SIM115  # closed below; what fails after this line is the content
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", where=str(path)) from error
    with file:
        if path.suffix == SAFETENSORS:
            return _read_safetensors(path)
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file raises whatever zipfile, pickle or torch happens to meet
            what = "is not a state dict that can be loaded without running code"
            raise WeightsError(what, where=str(path), hint=_NOT_WEIGHTS) from error


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        from safetensors.torch import load_file  # noqa: PLC0415  # part of the torch extra
    except ImportError as error:
        hint = "pip install 'edgegap[torch]', or save the weights with torch.save."
        raise MissingPackage("a .safetensors file needs safetensors", where=str(path), hint=hint) from error
    try:
        return load_file(path)
    except Exception as error:  # its own class for a damaged header; torch's for a type that torch lacks
        hint = "Save or copy it again."
        raise WeightsError(f"is not a safetensors file, or is damaged: {error}", where=str(path), hint=hint) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file.

    Raises:
        WeightsError: as `read_weights`, or a plain state dict.
    """
    content = read_weights(path)
    if not isinstance(content, Checkpoint):
        hint = "Give what `edgegap train` or `edgegap gap` wrote."
        raise WeightsError("is a plain state dict, not a checkpoint", where=str(path), hint=hint)
    return content


def _checkpoint(record: dict[str, Any], path: Path) -> Checkpoint:
    if record["format"] != FORMAT:
        hint = f"This EdgeGAP reads {FORMAT}: train the network again, or use the EdgeGAP that wrote the file."
        raise WeightsError(f"has the format {record['format']!r}", where=str(path), hint=hint)
    try:
        architecture, classes, preprocessing = record["architecture"], record["classes"], record["preprocessing"]
        state_dict = record["state_dict"]
        if not _is_state_dict(state_dict):
            raise TypeError("its state_dict is not one")
        return Checkpoint(
            str(architecture["model"]),
            Arguments.from_json(architecture["arguments"]),
            bool(architecture["gap_head"]),
            state_dict,
            None if classes is None else tuple(map(str, classes)),
            None if preprocessing is None else Preprocessing.from_json(preprocessing),
            record["training"],
        )
    except (KeyError, TypeError, ValueError, AttributeError, EdgeGapError) as error:
        hint = "Train the network again: the file was not written by EdgeGAP, or was altered."
        raise WeightsError(f"is a damaged checkpoint: {error}", where=str(path), hint=hint) from error


def _is_state_dict(content: Any) -> bool:
    import torch  # noqa: PLC0415  # slow to import

    return isinstance(content, dict) and all(
        isinstance(key, str) and (isinstance(value, torch.Tensor) or key.endswith(EXTRA_STATE))
        for key, value in content.items()
    )
