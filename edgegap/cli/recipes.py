"""`edgegap recipes`."""

from __future__ import annotations

from edgegap.cli.catalogue import catalogue


def _load(name: str) -> object:
    from edgegap.quantize.recipe import load_recipe  # noqa: PLC0415  # imports what --help must not wait for

    return load_recipe(name)


command = catalogue("calibration", "recipes", "Recipes: how ranges and weights are chosen.", _load)
