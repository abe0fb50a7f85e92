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
from edgegap.errors import EdgeGapError, WeightsError
from edgegap.models.catalogue import Arguments

if TYPE_CHECKING:
    import torch

FORMAT = "edgegap.checkpoint/1"

MAKE_ROOM = "Make room there, or choose another file with -o."

_NOT_WEIGHTS = "Save the weights alone: torch.save(network.state_dict(), path)."


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


def read_weights(path: Path) -> Checkpoint | dict[str, torch.Tensor]:
    """A checkpoint, or a plain state dict.

    Raises:
        WeightsError: no such file, neither of both, or a checkpoint of another version or with something missing.
    """
    import torch  # noqa: PLC0415  # slow to import

    try:
        file = open(path, "rb")  # noqa: SIM115  # closed below; what fails after this line is the content
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", where=str(path)) from error
    with file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file raises whatever zipfile, pickle or torch happens to meet
            what = "is not a state dict that can be loaded without running code"
            raise WeightsError(what, where=str(path), hint=_NOT_WEIGHTS) from error
    if isinstance(content, dict) and isinstance(content.get("format"), str):
        return _checkpoint(content, path)
    if not isinstance(content, dict) or not _is_state_dict(content):
        what = f"holds a {type(content).__name__}, not a state dict"
        raise WeightsError(what, where=str(path), hint=_NOT_WEIGHTS)
    return content


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
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items()
    )
