"""From a torch module to ONNX, through torch's own exporter."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import ModelError
from edgegap.graph.joined import join_arguments
from edgegap.graph.load import checked
from edgegap.graph.nodes import OPSET

if TYPE_CHECKING:
    import torch


def trace(
    network: torch.nn.Module,
    input_shape: tuple[int, int, int],
    spec: str,
    channels: Sequence[int] = (),
    say: Callable[[str], None] = lambda notice: None,
) -> ir.Model:
    """The ONNX model of a torch module: BatchNorm folded, every node with the path of its module.

    Args:
        network: in evaluation mode; one that takes lines takes maps of one row from then on, and one that takes several
            inputs a single one.
        input_shape: C, H, W; of a network that takes lines [N, C, L]: C, 1, L.
        spec: what to call the network in messages.
        channels: of each input, where it takes several.
        say: told what was done to it.

    Raises:
        ModelError: the network takes another number of inputs, does not take such an input, or torch cannot export it.
    """
    import torch  # noqa: PLC0415  # imported by the factory already

    if len(needed := _needed(network)) > 1 or len(channels) > 1:
        say(join_arguments(network, channels, needed, spec))
    example = torch.zeros(1, *input_shape)
    output = _first_output(network, example, spec)
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


def _needed(network: torch.nn.Module) -> list[str]:
    """The names of what `forward` must be given."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(network.forward).parameters.values()
    return [p.name for p in parameters if p.kind in kinds and p.default is inspect.Parameter.empty]


def _first_output(network: torch.nn.Module, example: torch.Tensor, spec: str) -> Any:
    """What a network gives for an example [1, C, H, W]. One that takes lines [1, C, L] is made to take them as maps of
    one row: of those the hook takes the row.
    """
    import torch  # noqa: PLC0415  # imported by the factory already

    failures, (n, channels, height, length) = [], example.shape
    for shape in [(n, channels, height, length), (n, channels, length)][: 2 if height == 1 else 1]:
        try:
            with torch.no_grad():
                output = network(example.reshape(shape))
        except Exception as error:  # the user's code may raise anything
            failures.append((shape, error))
            continue
        if len(shape) == 3:
            network.register_forward_pre_hook(lambda _, given: given[0].squeeze(2))
        return output
    raise ModelError(
        f"does not take an input of {' or '.join(f'{list(shape)}: {_first_line(error)}' for shape, error in failures)}",
        where=spec,
        hint="Check --input-shape C,H,W, and the channels of the preprocessing.",
    ) from failures[-1][1]


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
