"""`--recipe auto`: which recipe suits a network, by calibration images that it did not see.

Every second image calibrates, the others are held out. Each recipe's int8 file runs on these in ONNX Runtime, and its
logits are held against the float network's. That compares recipes image by image and needs no labels; changed answers
would be too few to tell recipes apart. The recipe with the best signal-to-noise ratio is taken, and then sees all
images.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgegap.check.images import ImageSet
from edgegap.check.predict import Prediction, predict
from edgegap.disk import passing_folder
from edgegap.errors import DataError
from edgegap.progress import Progress
from edgegap.quantize.noise import Noise, powers
from edgegap.quantize.quantize import quantize
from edgegap.quantize.recipe import Recipe, load_recipe
from edgegap.resources import resource_names

AUTO = "auto"
"""Instead of a recipe's name."""

_LEAST = 8
"""Images: half of fewer are no evidence."""


def recipes_of(name: str) -> list[Recipe]:
    """The recipes that a name stands for: one, or for 'auto' all of EdgeGAP's own.

    Raises:
        SettingsError: as `load_recipe`.
    """
    return [load_recipe(each) for each in (resource_names("calibration") if name == AUTO else [name])]


@dataclass(frozen=True)
class Chosen:
    """A recipe and why it was chosen.

    Args:
        recipe: the best.
        evidence: for quantization.json.
    """

    recipe: Recipe
    evidence: dict[str, Any]

    def notice(self) -> str:
        """One line."""
        tried = ", ".join(
            f"{row['recipe']} {'no noise' if row['snr_db'] is None else format(row['snr_db'], '.1f') + ' dB'}, "
            f"{row['changed']} answers changed"
            for row in self.evidence["tried"]
        )
        return f"--recipe auto took {self.recipe.name}: on {self.evidence['images']} images held out, {tried}"


def choose_recipe(network: ir.Model, images: ImageSet, progress: Progress) -> Chosen:
    """Try every recipe on one half of the images, and measure it on the other.

    Args:
        network: the float network, in canonical form.
        images: for calibration.
        progress: told how far it is.

    Raises:
        DataError: too few images to hold any out.
        MissingPackage: a recipe needs torch, which is not installed.
    """
    recipes = recipes_of(AUTO)
    if len(images) < _LEAST:
        what = f"--recipe auto holds out half of the calibration images, and there are {len(images)}"
        raise DataError(what, hint=f"Give {_LEAST} or more, or name a recipe, such as --recipe default.")
    with passing_folder() as folder:
        seen, held_out = (
            images.taken(np.arange(first, len(images), 2), folder / f"images{first}.npy") for first in (0, 1)
        )
        ir.save(network, folder / "float.onnx")
        predictions = [Prediction(folder / "float.onnx", held_out)]
        seconds = []
        for k, recipe in enumerate(recipes):
            progress("trying recipes", k, len(recipes))
            began = time.perf_counter()
            batches = [seen.values(i + 1, i) for i in range(len(seen))]
            tried = quantize(network, batches, recipe, table=images.table)
            seconds.append(round(time.perf_counter() - began, 3))
            file = folder / f"{recipe.name}.onnx"
            ir.save(tried.model, file)
            predictions.append(Prediction(file, held_out))
        outputs = [result.outputs.reshape(len(held_out), -1) for result in predict(predictions, progress)]
    return _best(recipes, outputs[0], outputs[1:], seconds)


def _best(
    recipes: list[Recipe], reference: NDArray[np.floating], logits: list[NDArray[np.floating]], seconds: list[float]
) -> Chosen:
    from scipy.stats import wilcoxon  # noqa: PLC0415  # slow to import, and only this needs it

    noises = [powers(reference, other)[1] for other in logits]
    best = int(np.argmin([noise.sum() for noise in noises]))
    rows = []
    for recipe, other, noise, took in zip(recipes, logits, noises, seconds, strict=True):
        seen = Noise()
        seen.add(reference, other)
        cost = seen.cost()
        p = float(wilcoxon(noise, noises[best]).pvalue) if np.any(noise != noises[best]) else None
        row = {"recipe": recipe.name, "snr_db": cost.snr_db, "changed": cost.changed, "p": p, "seconds": took}
        rows.append(row)
    evidence = {
        "images": len(reference),
        "chosen": recipes[best].name,
        "test": "Wilcoxon signed-rank, two-sided, of the noise of each image against that of the recipe chosen",
        "tried": rows,
    }
    return Chosen(recipes[best], evidence)
