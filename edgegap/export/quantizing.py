"""How an export comes to its int8 network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.check.images import ImageSet
from edgegap.check.linter import spread
from edgegap.export.auto import AUTO, choose_recipe
from edgegap.export.model import FloatModel
from edgegap.export.readme import IMPORTED, RESNAPPED
from edgegap.export.settings import ExportSettings
from edgegap.progress import Progress, silent
from edgegap.qdq import import_qdq
from edgegap.quantize.mixed import Mixed, keep_in_float
from edgegap.quantize.normal_form import Io
from edgegap.quantize.observer import BATCH
from edgegap.quantize.quantization import Quantized
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import load_recipe
from edgegap.quantize.sensitivity import Sensitivity, sensitivity


@dataclass(frozen=True)
class Made:
    """An int8 network.

    Args:
        quantized: the network.
        recipe: by what it was made, for the manifest.
        evidence: what stands in quantization.json beside the quantization itself.
        mixed: what --max-drop led to.
    """

    quantized: Quantized
    recipe: str
    evidence: dict[str, Any] = field(default_factory=dict)
    mixed: Mixed | None = None


Quantizer = Callable[[FloatModel, ImageSet | None, "NDArray[np.float32] | None", ExportSettings, Progress], Made | None]
"""Makes the int8 network of a float one, from calibration images and the value of every pixel; None: there is none."""


def quantize_network(
    network: FloatModel,
    images: ImageSet | None,
    table: NDArray[np.float32] | None,
    settings: ExportSettings,
    progress: Progress,
) -> Made | None:
    """The quantization that came with a network, or one by a recipe; None in a float export."""
    if network.qdq is not None:
        progress("importing the quantization", 0, None)
        imported = import_qdq(network.qdq, table=table, io=settings.io, resnap=settings.resnap)
        return Made(imported, RESNAPPED if settings.resnap else IMPORTED)
    if images is None or not settings.int8:
        return None
    chosen = choose_recipe(network.model, images, progress) if settings.recipe == AUTO else None
    recipe = load_recipe(settings.recipe) if chosen is None else chosen.recipe
    quantized = quantize(network.model, Calibration(images, progress), recipe, table=table, io=settings.io)
    made = Made(quantized, settings.recipe)
    if chosen is not None:
        quantized = replace(quantized, notices=(chosen.notice(), *quantized.notices))
        made = Made(quantized, recipe.name, {"recipes": chosen.evidence})
    return made if settings.max_drop_pp is None else _mixed(made, images, settings.max_drop_pp, settings.io, progress)


def _mixed(made: Made, images: ImageSet, max_drop_pp: float, io: Io, progress: Progress) -> Made:
    """`made` with the layers in float that the limit asks for."""
    again = Calibration(images, silent)
    mixed = keep_in_float(made.quantized.parts, again, images.labels, max_drop_pp, io, progress)
    quantized = replace(made.quantized, parts=mixed.parts, model=mixed.parts.normal_form(io))
    return replace(made, quantized=quantized, mixed=mixed)


def measure_sensitivity(made: Made, images: ImageSet, most: int, progress: Progress) -> Sensitivity:
    """What each part of a quantization costs, on at most `most` images from all over those given.

    Raises:
        MissingPackage: torch is not installed.
    """
    chosen = spread(len(images), most)
    one_by_one = (images.values(int(k) + 1, int(k)) for k in chosen)
    return sensitivity(made.quantized.parts, one_by_one, progress, len(chosen))


@dataclass(frozen=True)
class Calibration:
    """The calibration images in batches, from the first again at every iteration."""

    images: ImageSet
    progress: Progress

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self.images), BATCH):
            self.progress("calibrating", start, len(self.images))
            yield self.images.values(start + BATCH, start)
