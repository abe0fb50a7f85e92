"""A torch network in: `file.py:factory` or `package.module:factory`, with a state dict as its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgegap.errors import ModelError, WeightsError
from edgegap.usercode import find_callable, raised

if TYPE_CHECKING:
    import torch

FACTORY = "MODEL is file.py:factory, package.module:factory (a function that makes the network), or a float .onnx file."

_ANOTHER = "Is this the network that the weights were trained with?"

_NAMED = 3
"""How many keys an error names."""


def build(spec: str, weights: Path | None) -> torch.nn.Module:
    """The network that a factory makes, with its weights, in evaluation mode.

    Args:
        spec: `file.py:factory` or `package.module:factory`; the factory takes no arguments.
        weights: a state dict written by torch.save; None keeps the weights that the factory gives.

    Raises:
        ModelError: no such file, module or factory, a factory that raises or returns something else, no torch.
        WeightsError: not a state dict, one whose keys or shapes do not match, or a NaN or an infinity in it.
    """
    try:
        import torch  # noqa: PLC0415  # slow to import, and not part of the base install
    except ImportError as error:
        hint = "pip install 'edgegap[torch]', or give a float .onnx file."
        raise ModelError("a torch network needs torch, which is not installed", where=spec, hint=hint) from error
    # Single images are all that runs in torch here: more threads cost ten times what they gain.
    torch.set_num_threads(1)
    factory = find_callable(spec, ModelError, FACTORY)
    try:
        network = factory()
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise raised(error, spec, ModelError, FACTORY) from error
    if not isinstance(network, torch.nn.Module):
        raise ModelError(f"the factory returned a {type(network).__name__}, not a torch.nn.Module", where=spec)
    if weights is not None:
        _load(network, weights)
    for key, value in network.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            kind = "NaN" if value.isnan().any() else "infinity"
            hint = "Was the training stable to its end?"
            raise WeightsError(f"'{key}' holds {kind}", where=str(weights or spec), hint=hint)
    return network.eval()


def _load(network: torch.nn.Module, path: Path) -> None:
    import torch  # noqa: PLC0415  # imported by `build` already

    hint = "Save the weights alone: torch.save(network.state_dict(), path)."
    try:
        file = open(path, "rb")  # noqa: SIM115  # closed below; what fails after this line is the content
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", where=str(path)) from error
    with file:
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file raises whatever zipfile, pickle or torch happens to meet
            what = "is not a state dict that can be loaded without running code"
            raise WeightsError(what, where=str(path), hint=hint) from error
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    ):
        raise WeightsError(f"holds a {type(state).__name__}, not a state dict", where=str(path), hint=hint)
    own = network.state_dict()
    common = own.keys() & state.keys()
    wrong = [
        f"{key} {list(state[key].shape)} instead of {list(own[key].shape)}"
        for key in own
        if key in common and own[key].shape != state[key].shape
    ]
    if wrong:
        raise WeightsError(f"has other shapes: {_some(wrong)}", where=str(path), hint=_ANOTHER)
    missing, unexpected = network.load_state_dict(state, strict=False)
    named = [
        f"{what} {_some(sorted(keys))}"
        for what, keys in (("lacks", missing), ("has, and the network does not,", unexpected))
        if keys
    ]
    if named:
        raise WeightsError("; it ".join(named), where=str(path), hint=_ANOTHER)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
