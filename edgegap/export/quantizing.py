"""How an export comes to its int8 network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgegap.check.images import ImageSet
from edgegap.export.model import FloatModel
from edgegap.export.readme import IMPORTED, RESNAPPED
from edgegap.export.settings import ExportSettings
from edgegap.progress import Progress
from edgegap.qdq import import_qdq
from edgegap.quantize.observer import BATCH
from edgegap.quantize.quantization import Quantized
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import load_recipe


@dataclass(frozen=True)
class Made:
    """An int8 network.

    Args:
        quantized: the network.
        recipe: by what it was made, for the manifest.
        evidence: what stands in quantization.json beside the quantization itself.
    """

    quantized: Quantized
    recipe: str
    evidence: dict[str, Any] = field(default_factory=dict)


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
    recipe = load_recipe(settings.recipe)
    calibration = Calibration(images, progress)
    return Made(quantize(network.model, calibration, recipe, table=table, io=settings.io), settings.recipe)


@dataclass(frozen=True)
class Calibration:
    """The calibration images in batches, from the first again at every iteration."""

    images: ImageSet
    progress: Progress

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self.images), BATCH):
            self.progress("calibrating", start, len(self.images))
            yield self.images.values(start + BATCH, start)
