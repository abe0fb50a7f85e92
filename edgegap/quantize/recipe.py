"""Recipes: how ranges and weights are chosen, as small TOML files in `calibration/`."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from edgegap.needs_torch import import_torch
from edgegap.resources import resource
from edgegap.settings_file import read_settings

RangeMethod = Literal["minmax", "mse", "margin"]
Rounding = Literal["nearest", "gptq"]


@dataclass(frozen=True)
class Recipe:
    """A recipe.

    Args:
        name: the file's stem.
        description: one sentence on what it is for.
        ranges: how the range of an activation is chosen from its statistics.
        bias_correction: whether biases absorb the mean error of the rounded weights.
        rounding: of weights: each to its nearest integer, or each such that it makes up for the errors of others.
    """

    name: str
    description: str
    ranges: RangeMethod
    bias_correction: bool
    rounding: Rounding = "nearest"


@dataclass(frozen=True)
class _Ranges:
    method: RangeMethod


@dataclass(frozen=True)
class _Weights:
    bias_correction: bool
    rounding: Rounding = "nearest"


@dataclass(frozen=True)
class _File:
    """What stands in the file."""

    description: str
    ranges: _Ranges
    weights: _Weights


def require_torch(recipe: Recipe) -> ModuleType:
    """The torch module, for a recipe whose ranges need gradients.

    Raises:
        MissingPackage: torch is not installed, or does not work.
    """
    return import_torch(f"the recipe '{recipe.name}'", "take the recipe that does without: --recipe fast")


def load_recipe(name_or_path: str) -> Recipe:
    """A recipe of EdgeGAP's own by name, or a user's file by path.

    Raises:
        SettingsError: an unknown name, a file that is not TOML, an unknown or missing key, a value of another type or
            not among those allowed, or two that contradict each other.
    """
    path = resource("calibration", name_or_path)
    settings = read_settings(path)
    file = settings.build(_File)
    if file.weights.rounding == "gptq" and not file.weights.bias_correction:
        what = "'weights.bias_correction' is false, but the rounding 'gptq' leaves the mean of its error to the biases"
        hint = 'Set it to true, or rounding = "nearest".'
        raise settings.error(what, "weights", "bias_correction", hint=hint)
    return Recipe(path.stem, file.description, file.ranges.method, file.weights.bias_correction, file.weights.rounding)
