"""Recipes: what ships loads, and a mistake is named with its file and line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from ops.harness import Net

from edgegap.errors import SettingsError
from edgegap.quantize.recipe import Recipe, load_recipe

from .nets import canonical

GOOD = """\
description = "mine"

[ranges]
method = "mse"

[weights]
bias_correction = true
"""


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # an import of it then fails as it does where it is not installed
from edgegap.cli import run
sys.exit(run())
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The arguments of an export of a small .onnx file, from the folder that it is in."""
    folder = tmp_path_factory.mktemp("network")
    net = Net((1, 3, 8, 8))
    y = net.gemm(net.op("Flatten", [net.op("GlobalAveragePool", [net.conv(net.x, (4, 3, 3, 3))])]), 3, 4)
    ir.save(canonical(net, y), folder / "net.onnx")
    pixels = net.rng.integers(0, 256, (4, 8, 8, 3), np.uint8)
    np.savez(folder / "images.npz", images=pixels, labels=np.zeros(4, np.int64))
    options = ["--int8", "--calib", str(folder / "images.npz"), "--preprocess", "unit"]
    return ["export", str(folder / "net.onnx"), *options]


def without_torch(arguments: list[str], bundle: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_TORCH, *arguments, "-o", str(bundle)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_torch_a_recipe_that_needs_it_says_so_before_any_work(network, tmp_path: Path) -> None:
    done = without_torch(network, tmp_path / "bundle")
    assert done.returncode == 2
    assert "the recipe 'default' needs torch" in done.stderr
    assert "edgegap[torch]" in done.stderr
    assert "--recipe fast" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("recipe", ["fast", "mine"])
def test_without_torch_recipes_that_need_no_gradient_work(network, recipe: str, tmp_path: Path) -> None:
    name = recipe
    if recipe == "mine":
        (tmp_path / "mine.toml").write_text(GOOD + 'rounding = "gptq"\n')
        name = str(tmp_path / "mine.toml")
    done = without_torch([*network, "--recipe", name], tmp_path / "bundle")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bundle" / "int8.tflite").is_file()


def test_every_recipe_of_the_repository_loads() -> None:
    folder = Path(__file__).parents[2] / "calibration"
    names = [path.stem for path in folder.glob("*.toml")]
    assert len(names) >= 2
    for name in names:
        assert load_recipe(name).name == name


def test_a_users_file_loads_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load_recipe(str(path)) == Recipe("mine", "mine", "mse", True, "nearest")


def test_gptq_without_bias_correction_is_a_contradiction(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("= true", '= false\nrounding = "gptq"'))
    with pytest.raises(SettingsError, match=r"weights\.bias_correction' is false.*gptq") as caught:
        load_recipe(str(path))
    assert caught.value.where == f"{path}, line 7"


def test_rounding_is_a_key_of_weights(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + 'rounding = "gptq"\n')
    assert load_recipe(str(path)).rounding == "gptq"


@pytest.mark.parametrize(
    ("wrong", "by", "what", "line"),
    [
        ("[ranges]", "extra = 1\n[ranges]", "unknown key 'extra'", 3),
        ('method = "mse"', 'method = "mse"\npercentile = 99.9', r"unknown key 'ranges\.percentile'", 5),
        ('method = "mse"', 'method = "entropy"', r"'ranges\.method' is 'entropy'", 4),
        ('method = "mse"', "method = 3", r"'ranges\.method' is 3", 4),
        ("bias_correction = true", 'rounding = "up"\nbias_correction = true', "'weights.rounding' is 'up'", 7),
        ("bias_correction = true", "bias_correction = 1", "is 1, not true or false", 7),
        ("[ranges]\nmethod", "ranges = 1\n[other]\nmethod", "unknown key 'other'", 4),
        ('[ranges]\nmethod = "mse"', 'ranges.method = "ms"', r"'ranges\.method' is 'ms'", 3),
        ('"mine"', "7", "'description' is 7, not a text", 1),
    ],
)
def test_a_mistake_is_named_with_file_and_line(tmp_path: Path, wrong: str, by: str, what: str, line: int) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(wrong, by))
    with pytest.raises(SettingsError, match=what) as caught:
        load_recipe(str(path))
    assert caught.value.where == f"{path}, line {line}"


@pytest.mark.parametrize(
    ("line", "key"),
    [('description = "mine"\n', "description"), ('method = "mse"\n', "ranges.method"), ("[ranges]", "ranges")],
)
def test_a_missing_key_is_named_with_its_file(tmp_path: Path, line: str, key: str) -> None:
    path = tmp_path / "mine.toml"
    text = GOOD.replace(line, "") if line != "[ranges]" else GOOD.replace('[ranges]\nmethod = "mse"\n', "")
    path.write_text(text)
    with pytest.raises(SettingsError, match=f"'{key}' is missing") as caught:
        load_recipe(str(path))
    assert str(path) in str(caught.value.where)


def test_a_method_that_is_unknown_comes_with_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("mse", "percentile"))
    with pytest.raises(SettingsError) as caught:
        load_recipe(str(path))
    assert "minmax" in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"ranges = [", b"\xff\xfe\x00", b"a = 1\na = 2\n"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="TOML") as caught:
        load_recipe(str(path))
    assert str(path) in str(caught.value.where)


@pytest.mark.parametrize("name", ["nonesuch", "nonesuch.toml"])
def test_an_unknown_recipe_is_an_error_with_a_way_out(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_recipe(name)
    assert name.removesuffix(".toml") in str(caught.value)
