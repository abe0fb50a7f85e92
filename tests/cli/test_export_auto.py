"""`edgegap export --recipe auto`: the best recipe on images that were held out, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from edgegap.resources import resource_names
from edgegap.schema import schema

from .harness import edgegap, refused

CALIBRATION = ("--int8", "--calib", "digits:train", "--preprocess", "unit")


@pytest.fixture(scope="module")
def automatic(factory: str, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The bundle, and what was said."""
    out = tmp_path_factory.mktemp("auto") / "out"
    done = edgegap(
        "export", factory, "--weights", weights, *CALIBRATION, "--samples", 65, "--recipe", "auto", "-o", out
    )
    assert done.status == 0, done.err
    return out, done.err


def test_every_recipe_is_tried_on_images_that_were_held_out(automatic: tuple[Path, str]) -> None:
    view = json.loads((automatic[0] / "quantization.json").read_text())
    Draft202012Validator(schema("quantization")).validate(view)
    found = view["recipes"]
    assert [row["recipe"] for row in found["tried"]] == resource_names("calibration")
    assert found["images"] == 32


def test_the_best_is_taken_and_sees_all_images(automatic: tuple[Path, str]) -> None:
    out, said = automatic
    found = json.loads((out / "quantization.json").read_text())["recipes"]
    manifest = json.loads((out / "manifest.json").read_text())
    best = max(found["tried"], key=lambda row: row["snr_db"])
    assert manifest["recipe"] == found["chosen"] == best["recipe"]
    assert best["p"] is None
    assert all(0 < row["p"] <= 1 for row in found["tried"] if row is not best)
    assert manifest["calibration_images"] == 65
    assert f"--recipe auto took {best['recipe']}" in said


def test_it_is_the_bundle_of_that_recipe(automatic: tuple[Path, str], factory: str, weights: Path) -> None:
    out, _ = automatic
    recipe = json.loads((out / "manifest.json").read_text())["recipe"]
    named = out.parent / "named"
    edgegap("export", factory, "--weights", weights, *CALIBRATION, "--samples", 65, "--recipe", recipe, "-o", named)
    for file in ("int8.onnx", "int8.tflite"):
        assert (named / file).read_bytes() == (out / file).read_bytes()


def test_too_few_images_are_refused(tiny_onnx: Path, tmp_path: Path) -> None:
    call = ("export", tiny_onnx, *CALIBRATION, "--samples", 7, "--recipe", "auto", "-o", tmp_path / "out")
    refused(*call, words=("holds out half", "there are 7"))
    assert not (tmp_path / "out").exists()
