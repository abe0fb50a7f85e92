"""The networks of `coverage.py`, with random weights that behave: each one of its list is a factory of this module.

edgegap export benchmarks/coverage_networks.py:timm_resnet18d --weights FOLDER/weights.pt ...
python benchmarks/coverage_networks.py timm_resnet18d IMAGES.npy FOLDER

The second makes those weights, from images float32 [N, 3, H, W], and network.json beside them. Both need torchvision
and timm (coverage.txt) on PYTHONPATH.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_LASTING: list[object] = []
"""What is declared to torch lasts as long as the object that declared it."""


def _declare_operators() -> None:
    """Let torchvision import where the operators in its wheel do not fit this build of torch.

    Its networks need none of them, but on import it registers something for each.
    """
    found = find_spec("torchvision")
    folder = Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else Path()
    text = (folder / "_meta_registrations.py").read_text(encoding="utf-8")
    library = torch.library.Library("torchvision", "DEF")
    for operator in sorted(set(re.findall(r'register_(?:meta|fake)\("(?:torchvision::)?(\w+)"', text))):
        library.define(f"{operator}(Tensor a) -> Tensor")
    _LASTING.append(library)


try:
    import torchvision
except RuntimeError:
    _declare_operators()
    import torchvision
import timm  # noqa: E402  # it imports torchvision

_NO_TRAINING = {"aux_logits": False, "init_weights": False}
"""Neither the heads that only training uses, nor an initialization that takes a minute."""

_ARGUMENTS: dict[str, dict[str, Any]] = {"googlenet": _NO_TRAINING, "inception_v3": _NO_TRAINING}

_OFF, _ON = 1e-3, 0.5
"""A scale below the first is where training starts (0, or ConvNeXt's 1e-6); the second is put in its place."""


def __getattr__(name: str) -> Callable[[], nn.Module]:
    """The factory of the network `SUITE_MODEL`."""
    if not name.startswith(("torchvision_", "timm_")):
        raise AttributeError(name)
    return partial(build, name)


def build(name: str) -> nn.Module:
    """A network of 1000 classes with the random weights that its package gives it."""
    suite, _, model = name.partition("_")
    if suite == "timm":
        return timm.create_model(model)
    return torchvision.models.get_model(model, weights=None, **_ARGUMENTS.get(model, {}))


def settle(network: nn.Module, images: torch.Tensor) -> None:
    """Give a network with random weights activations of a sane size, as training would, in place.

    1. Residual branches that start switched off (a last BatchNorm of weight 0, LayerScale, GRN) take part.
    2. BatchNorm takes its statistics from `images`, and a bias of 1: most values then pass the ReLU behind it. With 0,
       each layer of a random network amplifies noise (Yang et al., A mean field theory of batch normalization, ICLR
       2019), until what int8 does to the logits says more about the weights than about the quantization.
    3. Without any normalization, weights are scaled layer by layer to outputs of variance 1, and biases are 0 (LSUV:
       Mishkin and Matas, All you need is a good init, ICLR 2016).

    Args:
        network: in evaluation mode.
        images: float32 [N, 3, H, W].
    """
    for name, parameter in network.named_parameters():
        is_scale = parameter.numel() == max(parameter.shape, default=1) and not name.endswith("bias")
        if is_scale and parameter.abs().max() < _OFF:
            parameter.data.fill_(_ON)
    modules = list(network.modules())
    for module in modules:
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            if module.bias is not None:
                module.bias.data.fill_(1)
            module.momentum = None  # the mean over all batches, of which there is one
            module.train()
    normalized = any("Norm" in type(module).__name__ for module in modules)
    layers = [] if normalized else [module for module in modules if type(module) in (nn.Conv2d, nn.Linear)]
    hooks = [layer.register_forward_hook(_to_variance_1) for layer in layers]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    network.eval()


def _to_variance_1(layer: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
    if layer.bias is not None:
        output = output - layer.bias.view(-1, *[1] * (output.ndim - 2))
        layer.bias.zero_()
    scale = output.std()
    layer.weight /= scale
    return output / scale


def main() -> None:
    """Write the weights of one network, and what it is."""
    name, images, folder = sys.argv[1:]
    torch.manual_seed(0)
    network = build(name).eval()
    settle(network, torch.from_numpy(np.load(images)))
    torch.save(network.state_dict(), Path(folder, "weights.pt"))
    suite = name.partition("_")[0]
    facts = {"parameters": sum(parameter.numel() for parameter in network.parameters()), "made_by": version(suite)}
    Path(folder, "network.json").write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main()
