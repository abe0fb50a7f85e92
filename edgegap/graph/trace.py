"""From a torch module to ONNX, through torch's own exporter."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import ModelError
from edgegap.graph.load import checked
from edgegap.graph.nodes import OPSET

if TYPE_CHECKING:
    import torch


def trace(network: torch.nn.Module, input_shape: tuple[int, int, int], spec: str) -> ir.Model:
    """The ONNX model of a torch module: BatchNorm folded, every node with the path of its module.

    Args:
        network: in evaluation mode.
        input_shape: C, H, W.
        spec: what to call the network in messages.

    Raises:
        ModelError: the network does not take such an input, or torch cannot export it.
    """
    import torch  # noqa: PLC0415  # imported by the factory already

    example = torch.zeros(1, *input_shape)
    try:
        with torch.no_grad():
            output = network(example)
    except Exception as error:  # the user's code may raise anything
        raise ModelError(
            f"does not take an input of {list(example.shape)}: {_first_line(error)}",
            where=spec,
            hint="Check --input-shape C,H,W, and the channels of the preprocessing.",
        ) from error
    if not isinstance(_logits(output), torch.Tensor):
        raise ModelError(
            f"returns a {type(output).__name__}, not a tensor", where=spec, hint="Return the logits, first of all."
        )
    try:
        with quiet():
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=["input"],
                output_names=["logits"],
                verbose=False,
            )
    except Exception as error:  # torch's exporter raises many kinds
        raise ModelError(
            f"torch cannot export this network: {_first_line(error)}",
            where=spec,
            hint="torch.onnx.export(network, args, dynamo=True) shows the whole story; avoid control flow on values.",
        ) from error
    if program is None:
        raise ModelError("torch exported nothing", where=spec)
    return checked(program.model, spec)


def evaluate(network: torch.nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first outputs [n, classes] of a torch module for float32 images [n, C, H, W]."""
    import torch  # noqa: PLC0415  # imported by the factory already

    with torch.no_grad():
        return np.concatenate([_logits(network(torch.from_numpy(image[None]))).numpy() for image in images])


def _logits(output: Any) -> Any:
    """The first of several outputs; None where there is none."""
    return next(iter(output), None) if isinstance(output, tuple | list) else output


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


@contextlib.contextmanager
def quiet():  # type: ignore[no-untyped-def]  # a generator behind a decorator
    """Keep the exporter's own chatter (optional packages that it did not find) off the terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
