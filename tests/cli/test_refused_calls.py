"""Calls and images that `edgegap export` refuses or handles with a notice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from .harness import edgegap, left_behind, refused, write_images, write_npz, write_onnx


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["exprot"], "exprot"),
        (["export"], "MODEL"),
        (["export", "net.onnx"], "--output"),
        (["export", "net.onnx", "-o", "out", "--int9"], "--int9"),
        (["export", "net.onnx", "-o", "out", "--format", "onxx"], "onxx"),
        (["export", "net.onnx", "-o", "out", "--io", "int4"], "int4"),
        (["export", "net.onnx", "-o", "out", "--batch", "two"], "two"),
        (["export", "net.onnx", "-o", "out", "--input-shape", "3"], ("C,H,W", "C,L")),
        (["export", "net.onnx", "-o", "out", "--input-shape", "3,8,8,8"], ("C,H,W", "C,L")),
        (["export", "net.onnx", "-o", "out", "--input-shape", "3,x"], ("C,H,W", "C,L")),
        (["export", "net.onnx", "-o", "out", "--input-shape", "3,8,"], ("C,H,W", "C,L")),
        (["export", "net.onnx", "-o", "out", "--input-shape", "3,0"], "below 1"),
        (["export", "net.onnx", "-o", "out", "--input-shape", "3,0,8"], "below 1"),
        (["check", "bundle", "--data", "digits:test", "--threads", "0"], "--threads"),
        (["--nope"], "--nope"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str], words: str | tuple[str, ...]) -> None:
    refused(*arguments, words=words)


def test_int8_without_images(tiny_onnx: Path, out: Path) -> None:
    refused("export", tiny_onnx, "--int8", "-o", out, words=("--int8", "--calib"))


def test_integers_without_int8(tiny_onnx: Path, out: Path) -> None:
    refused("export", tiny_onnx, "--io", "int8", "-o", out, words=("--io int8", "--int8"))


@pytest.mark.parametrize(("option", "value"), [("--batch", 0), ("--batch", -1), ("--samples", -1)])
def test_numbers_that_count_no_images(tiny_onnx: Path, out: Path, option: str, value: int) -> None:
    refused("export", tiny_onnx, option, value, "-o", out, words=(option, str(value)))


def test_pixels_without_a_preprocessing(tiny_onnx: Path, out: Path, tmp_path: Path) -> None:
    for data in ("digits:train", write_npz(tmp_path / "d.npz", 4), write_images(tmp_path / "images", {"ant": 2})):
        words = ("--preprocess", "imagenet", "unit", "no default")
        refused("export", tiny_onnx, "--int8", "--calib", data, "-o", out, words=words)
    (tmp_path / "pixels_loader.py").write_text(
        "import numpy as np\ndef images():\n    yield np.zeros((8, 8), np.uint8), 0\n"
    )
    data = f"{tmp_path / 'pixels_loader.py'}:images"
    refused("export", tiny_onnx, "--int8", "--calib", data, "-o", out, words=("--preprocess", "item 0"))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--preprocess", "imagent", ("imagent", "imagenet")),
        ("--preprocess", "mine.toml", ("mine.toml", "No such file")),
        ("--recipe", "defalt", ("defalt", "default", "fast")),
        ("--recipe", "mine.toml", ("mine.toml", "no such file")),
        ("--target", "pi9", ("pi9", "desktop")),
        ("--classes", "classes.txt", ("classes.txt", "No such file")),
        ("--calib", "digits:trian", ("digits:trian", "digits:train")),
        ("--calib", "nowhere", ("nowhere", "no such file or folder", "folder of images")),
        ("--calib", "nowhere.npz", ("nowhere.npz", "no such file")),
    ],
)
def test_a_name_that_nothing_has(tiny_onnx: Path, out: Path, option: str, value: str, words: tuple[str, ...]) -> None:
    call = {"--calib": "digits:train", "--preprocess": "unit", "--samples": "4"} | {option: value}
    refused("export", tiny_onnx, "--int8", *(part for pair in call.items() for part in pair), "-o", out, words=words)
    assert not out.exists()


def test_a_recipe_with_a_mistake_names_its_line_before_anything_is_read(out: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('description = "mine"\n[ranges]\nmethod = "minmax"\n[weights]\nbias_corection = true\n')
    call = ("--int8", "--calib", "digits:train", "--preprocess", "unit", "--recipe", recipe)
    refused("export", "nowhere.onnx", *call, "-o", out, words=("mine.toml", "line 5", "bias_corection"))


def test_preprocessing_that_gives_another_size(tiny_onnx: Path, out: Path) -> None:
    call = ("--int8", "--calib", "digits:train", "--preprocess", "imagenet", "--samples", 2)
    refused("export", tiny_onnx, *call, "-o", out, words=("1,8,8", "3,224,224", "resize"))


def test_images_of_several_sizes(tiny_onnx: Path, out: Path, tmp_path: Path) -> None:
    data = write_images(tmp_path / "images", {"ant": 2})
    write_images(data, {"bee": 2}, size=9)
    call = ("--int8", "--calib", data, "--preprocess", "unit")
    refused("export", tiny_onnx, *call, "-o", out, words=("bee/0.png", "resize"))


def test_a_folder_without_images(tiny_onnx: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    call = ("--int8", "--calib", tmp_path / "images", "--preprocess", "unit")
    refused("export", tiny_onnx, *call, "-o", out, words=("images", "empty folder"))
    (tmp_path / "images" / "ant").mkdir()
    refused("export", tiny_onnx, *call, "-o", out, words=("images", "no images", ".jpg"))


def test_an_archive_without_images(tiny_onnx: Path, out: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, pictures=np.zeros((2, 8, 8), np.uint8))
    call = ("--int8", "--calib", data, "--preprocess", "unit")
    refused("export", tiny_onnx, *call, "-o", out, words=("data.npz", "no array called images", "pictures"))
    write_npz(data, 0)
    refused("export", tiny_onnx, *call, "-o", out, words=("data.npz", "no image"))


def test_an_existing_bundle_is_kept_without_force(bundle: Path, tiny_onnx: Path) -> None:
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    refused("export", tiny_onnx, "-o", bundle, words=(str(bundle), "exists already", "--force"))
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_force_keeps_what_is_not_a_bundle(tiny_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("years of work")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for name in ("folder", "file", "link"):
        refused("export", tiny_onnx, "--force", "-o", tmp_path / name, words=(name, "is not a bundle", "remove it"))
    assert (tmp_path / "folder" / "thesis.txt").read_text() == (tmp_path / "file").read_text() == "years of work"


def test_a_corrupt_image_is_skipped_with_a_notice_and_refused_when_strict(
    tiny_onnx: Path, out: Path, tmp_path: Path
) -> None:
    data = write_images(tmp_path / "images", {"ant": 3, "bee": 3})
    (data / "bee" / "1.png").write_bytes((data / "bee" / "1.png").read_bytes()[:60])
    call = ("export", tiny_onnx, "--int8", "--calib", data, "--preprocess", "unit", "-o", out)
    refused(*call, "--strict", words=("bee/1.png", "strict"))
    assert not out.exists()
    done = edgegap(*call)
    assert done.status == 0
    assert "note: " in done.err
    assert "bee/1.png" in done.err
    assert json.loads((out / "manifest.json").read_text())["calibration_images"] == 5
    for image in data.glob("*/*.png"):
        image.write_bytes(b"")
    refused(*call, "--force", words=("none of its 6 images can be read", "ant/0.png"))


def test_a_channel_without_weights_is_exported_with_a_notice(out: Path, tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(size=(8, 1, 3, 3))
    weight[2] = 0
    net = write_onnx(tmp_path / "net.onnx", stem_weight=weight)
    done = edgegap(
        "export",
        net,
        "--int8",
        "--calib",
        write_npz(tmp_path / "d.npz", 8),
        "--preprocess",
        "unit",
        "-o",
        out,
        "--json",
        "-",
    )
    assert done.status == 0, done.err
    assert "note: 1 channel" in done.err
    assert "stem" in done.err
    assert done.record["exactness"] == "exact"


def test_a_constant_activation_is_exported_with_a_notice(out: Path, tmp_path: Path) -> None:
    net = write_onnx(tmp_path / "net.onnx", stem_weight=np.zeros((8, 1, 3, 3)), stem_bias=np.full(8, 0.5))
    done = edgegap(
        "export",
        net,
        "--int8",
        "--calib",
        write_npz(tmp_path / "d.npz", 8),
        "--preprocess",
        "unit",
        "-o",
        out,
        "--json",
        "-",
    )
    assert done.status == 0, done.err
    assert "the same for every image and position" in done.err
    assert done.record["exactness"] == "exact"


def test_a_network_of_zeros_is_exported(out: Path, tmp_path: Path) -> None:
    zeros = {"stem_weight": np.zeros((8, 1, 3, 3)), "stem_bias": np.zeros(8), "maps_weight": np.zeros((10, 8, 1, 1))}
    net = write_onnx(tmp_path / "net.onnx", **zeros, maps_bias=np.zeros(10))
    done = edgegap(
        "export",
        net,
        "--int8",
        "--calib",
        write_npz(tmp_path / "d.npz", 8),
        "--preprocess",
        "unit",
        "-o",
        out,
        "--json",
        "-",
    )
    assert done.status == 0, done.err
    assert done.record["identity"][0]["different"] == 0


def test_a_calibration_of_one_black_image_works(tiny_onnx: Path, out: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "black.npz", 1, images=np.zeros((1, 8, 8), np.uint8))
    done = edgegap("export", tiny_onnx, "--int8", "--calib", data, "--preprocess", "unit", "-o", out)
    assert done.status == 0, done.err


def test_refusals_leave_nothing(tiny_onnx: Path, tmp_path: Path) -> None:
    refused(
        "export", tiny_onnx, "--int8", "--calib", "nowhere", "--preprocess", "unit", "-o", tmp_path / "out", words=""
    )
    assert not left_behind(tmp_path)
