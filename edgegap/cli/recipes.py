"""`edgegap recipes`."""

from edgegap.cli.catalogue import catalogue

command = catalogue("calibration", "recipes", "Recipes: how ranges and weights are chosen.")
