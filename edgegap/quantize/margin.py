"""How much an error of each activation matters: the squared gradient of the margin with respect to it.

The answer changes where the margin m = z(1) - z(2), the largest logit minus the second largest, changes sign. An error
e of an activation moves it by g e to first order, g = dm/dx; with errors that are independent from element to element,
the expected square of the move is the sum of g^2 e^2. So each element's squared error counts g^2 times (`ranges`).
The diagonal of a Fisher matrix weights errors alike in Choi et al., 'Towards the Limit of Network Quantization', 2017,
section 3; the margin takes the place of the loss because it needs no labels and is what decides the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.errors import ModelError
from edgegap.evaluator import Evaluator
from edgegap.graph.nodes import describe
from edgegap.quantize.observer import observed_values
from edgegap.quantize.recipe import Recipe, require_torch
from edgegap.quantize.statistics import Statistics

if TYPE_CHECKING:
    from torch import Tensor

IMAGES = 64
"""How many images are differentiated, spread evenly over those given."""


def weigh_by_margin(
    model: ir.Model, batches: Iterable[NDArray[np.float32]], statistics: dict[str, Statistics], recipe: Recipe
) -> tuple[str, ...]:
    """Add to `statistics` the histograms in which each element counts its squared gradient; returns notices.

    Args:
        model: a lowered model, as `statistics` observed it.
        batches: the calibration images, float32 [n, C, H, W]; iterated once.
        statistics: of the observed values, by name.
        recipe: named where torch is missing.

    Raises:
        ModelError: a gradient that is NaN or infinite, naming the layer.
        MissingPackage: torch is not installed.
    """
    torch = require_torch(recipe)
    evaluate = Evaluator(model)
    names = {str(value.name) for value in observed_values(model)}
    count = statistics[str(model.graph.inputs[0].name)].images
    for image in _spread(batches, count):
        seen: dict[ir.Value, Tensor] = {}

        def read(value: ir.Value, tensor: Tensor, seen: dict[ir.Value, Tensor] = seen) -> None:
            if value.name in names:
                seen[value] = tensor

        margin = _margin(evaluate(torch.from_numpy(image[None]).requires_grad_(), read))
        gradients = torch.autograd.grad(margin, list(seen.values()), allow_unused=True)
        for (value, tensor), gradient in zip(seen.items(), gradients, strict=True):
            if gradient is not None:
                _count(value, tensor, gradient, statistics[str(value.name)])
    deaf = sorted(name for name in names if not statistics[name].weighted.counts.any())
    if not deaf:
        return ()
    return (
        f"{len(deaf)} activations do not move the margin on the calibration images ({', '.join(deaf[:3])}"
        f"{' ...' if len(deaf) > 3 else ''}): their ranges are those of least squared error without weights",
    )


def _spread(batches: Iterable[NDArray[np.float32]], count: int) -> Iterator[NDArray[np.float32]]:
    """At most `IMAGES` of `count` images, evenly: the images of a folder come class by class."""
    chosen = {k * count // IMAGES for k in range(IMAGES)} if count > IMAGES else set(range(count))
    number = 0
    for batch in batches:
        for image in batch:
            if number in chosen:
                yield np.array(image)
            number += 1


def _margin(logits: Tensor) -> Tensor:
    """The largest logit minus the second largest; of a network with one output, that output."""
    top = logits.flatten().topk(min(2, logits.numel())).values
    return top[0] - top[1] if len(top) > 1 else top[0]


def _count(value: ir.Value, tensor: Tensor, gradient: Tensor, statistics: Statistics) -> None:
    weights = gradient.double().square().numpy()
    if not np.isfinite(weights).all():
        node = value.producer()
        raise ModelError(
            "the gradient of the margin is NaN or infinite here, so that errors cannot be weighted",
            where=str(value.name) if node is None else describe(node),
            hint="Check the weights behind it for values near the end of float32, or take the recipe 'fast'.",
        )
    statistics.update_weighted(tensor.detach().numpy(), weights)
