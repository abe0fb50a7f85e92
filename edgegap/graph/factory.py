"""A torch network in: `file.py:factory` or `zoo:NAME` with its weights, a checkpoint, or an exported program."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgegap.errors import InputError, ModelError, WeightsError
from edgegap.graph.program import PROGRAM, load_program, refuse_untrusted
from edgegap.models.catalogue import ZOO, build_network, default_arguments
from edgegap.models.checkpoint import EXTRA_STATE, Checkpoint, Weights, read_checkpoint, read_weights
from edgegap.models.surgery import with_gap_head
from edgegap.needs_torch import import_torch
from edgegap.usercode import find_callable, raised

if TYPE_CHECKING:
    import torch

FACTORY = (
    "MODEL is file.py:factory, package.module:factory (a function that makes the network), zoo:NAME, a checkpoint of "
    "`edgegap train`, an .onnx file, or a .pt2 exported program (with --trust)."
)

_ANOTHER = "Is this the network that the weights were trained with?"

_MIXED = "Save one network's state dict, not parts of a wrapped and of a plain one."

_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.")
"""What DataParallel, torch.compile, and classes around a network put before its keys."""

_NAMED = 3
"""How many keys an error names."""


def build(
    spec: str, weights: Path | None, *, trust: bool = False, say: Callable[[str], None] = lambda notice: None
) -> torch.nn.Module:
    """The network that MODEL names, with its weights, in evaluation mode.

    Args:
        spec: `file.py:factory` or `package.module:factory`; the factory takes no arguments. `zoo:NAME`. Or the path of
            a checkpoint of a network of the zoo, or of a `.pt2` exported program.
        weights: a state dict written by torch.save or safetensors, or a checkpoint; None keeps the weights that the
            factory gives.
        trust: whether a `.pt2` may be loaded, which can run any code.
        say: told what was done to the weights to make them fit.

    Raises:
        InputError: weights for a file that has its own, or a `.pt2` that is not trusted.
        ModelError: no such file, module, factory or name, a factory that raises or returns something else, a damaged
            `.pt2`.
        MissingPackage: no torch, or no safetensors.
        WeightsError: neither a state dict nor a checkpoint, one whose keys or shapes do not match, one of another
            network, none for a network of the zoo, or a NaN or an infinity in it.
    """
    torch = import_torch("a torch network", "give a float .onnx file", where=spec)
    # Single images are all that runs in torch here: more threads cost ten times what they gain.
    torch.set_num_threads(1)
    if spec.endswith(PROGRAM):
        refuse_untrusted(spec, weights, trust=trust)
        network = load_program(Path(spec))
    else:
        saved = _saved(spec, weights)
        network = _network(spec, saved, weights)
        if saved is not None:
            _load(network, saved, weights or Path(spec), say)
        network.eval()
    for key, value in network.state_dict().items():
        if isinstance(value, torch.Tensor) and value.is_floating_point() and not value.isfinite().all():
            kind = "NaN" if value.isnan().any() else "infinity"
            hint = "Was the training stable to its end?"
            raise WeightsError(f"'{key}' holds {kind}", where=str(weights or spec), hint=hint)
    return network


def checkpoint_of(spec: str, weights: Path | None) -> Checkpoint | None:
    """The checkpoint that MODEL is, or that --weights names; None where the network comes without one.

    Raises:
        InputError: as `build`.
    """
    saved = None if spec.endswith((".onnx", PROGRAM)) else _saved(spec, weights)
    return saved if isinstance(saved, Checkpoint) else None


def _saved(spec: str, weights: Path | None) -> Checkpoint | Weights | None:
    """What the file that holds the weights has in it; None where none was named."""
    if ":" in spec:
        return None if weights is None else read_weights(weights)
    if not Path(spec).is_file():
        raise ModelError("is not a network", where=spec, hint=FACTORY)
    if weights is not None:
        raise InputError("a checkpoint carries its own weights", where=str(weights), hint="Leave out --weights.")
    return read_checkpoint(Path(spec))


def _network(spec: str, saved: Checkpoint | Weights | None, weights: Path | None) -> torch.nn.Module:
    """The network, its weights not yet loaded."""
    checkpoint = saved if isinstance(saved, Checkpoint) else None
    model = checkpoint.model if checkpoint is not None and ":" not in spec else spec
    if checkpoint is not None and ZOO in (checkpoint.model[: len(ZOO)], spec[: len(ZOO)]) and checkpoint.model != model:
        raise WeightsError(f"is a checkpoint of {checkpoint.model}, not of {spec}", where=str(weights), hint=_ANOTHER)
    if model.startswith(ZOO):
        name = model.removeprefix(ZOO)
        arguments = default_arguments(name) if checkpoint is None else checkpoint.arguments
        if saved is None:
            hint = (
                f"None come with EdgeGAP: `edgegap train {name} --data DATA -o CKPT` makes some; give --weights CKPT."
            )
            raise WeightsError("a network of the zoo needs weights", where=spec, hint=hint)
        network = build_network(name, arguments)
    elif ":" in spec:
        network = _made(spec)
    else:  # whoever sends a checkpoint must not choose which Python runs here
        hint = f"Give {model} as MODEL, and this file with --weights."
        raise WeightsError(f"is a checkpoint of {model}, whose code is not in it", where=spec, hint=hint)
    if checkpoint is not None and checkpoint.gap_head:
        network = with_gap_head(network, checkpoint.arguments.input_shape, model)
    return network


def _made(spec: str) -> torch.nn.Module:
    """What the user's factory makes."""
    import torch  # noqa: PLC0415  # imported by `build` already

    factory = find_callable(spec, ModelError, FACTORY)
    try:
        network = factory()
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise raised(error, spec, ModelError, FACTORY) from error
    if not isinstance(network, torch.nn.Module):
        raise ModelError(f"the factory returned a {type(network).__name__}, not a torch.nn.Module", where=spec)
    return network


def _load(network: torch.nn.Module, saved: Checkpoint | Weights, path: Path, say: Callable[[str], None]) -> None:
    own = network.state_dict()
    prefix = _prefix(own, saved.state_dict)
    state = OrderedDict((key.removeprefix(prefix), value) for key, value in saved.state_dict.items())
    state._metadata = _versions(saved.state_dict, prefix) or own._metadata  # type: ignore[attr-defined]  # torch's own
    common = own.keys() & state.keys()
    wrong = [
        f"{key} {list(state[key].shape)} instead of {list(own[key].shape)}"
        for key in own
        if key in common and not key.endswith(EXTRA_STATE) and own[key].shape != state[key].shape
    ]
    if wrong:
        raise WeightsError(f"has other shapes: {_some(wrong)}", where=str(path), hint=_ANOTHER)
    missing, unexpected = _taken(network, state, path)
    mixed = next((one for one in _WRAPPERS if own.keys() & {key.removeprefix(one) for key in unexpected}), None)
    if mixed is not None:
        n = sum(key.startswith(mixed) for key in state)
        raise WeightsError(f"has '{mixed}' before {n} of its {len(state)} keys only", where=str(path), hint=_MIXED)
    named = [
        f"{what} {_some(sorted(keys))}"
        for what, keys in (("lacks", missing), ("has, and the network does not,", unexpected))
        if keys
    ]
    if named:
        raise WeightsError("; it ".join(named), where=str(path), hint=_ANOTHER)

    found = []
    if isinstance(saved, Weights) and saved.under is not None:
        found.append(f"sat under '{saved.under}'")
    if prefix:
        found.append(f"had '{prefix}' before every key")
    if found:
        say(f"the weights {' and '.join(found)}: loaded all the same")


def _versions(state_dict: dict[str, Any], prefix: str) -> dict[str, Any]:
    """What torch keeps beside a state dict, by module path: the versions that old weights are converted from."""
    kept: dict[str, Any] = getattr(state_dict, "_metadata", {})
    return {f"{path}.".removeprefix(prefix).rstrip("."): about for path, about in kept.items()}


def _taken(network: torch.nn.Module, state: dict[str, Any], path: Path) -> tuple[list[str], list[str]]:
    """The keys that a network misses, and those that it has no place for, once it has loaded the rest."""
    try:
        missing, unexpected = network.load_state_dict(state, strict=False)
    except Exception as error:  # a module's own set_extra_state may raise anything
        raise raised(error, str(path), WeightsError, _ANOTHER) from error
    return missing, [key for key in unexpected if not key.endswith(EXTRA_STATE)]


def _prefix(own: Collection[str], keys: Collection[str]) -> str:
    """What to take off every one of `keys` so that the most of them are the network's own."""
    candidates, prefix = [""], ""
    while keys and (more := _wrapper(keys, prefix)):
        prefix += more
        candidates.append(prefix)
    return max(candidates, key=lambda one: sum(key.removeprefix(one) in own for key in keys))


def _wrapper(keys: Collection[str], behind: str) -> str:
    """The prefix of a wrapper that every key has behind `behind`, or ''."""
    return next((one for one in _WRAPPERS if all(key.startswith(behind + one) for key in keys)), "")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
