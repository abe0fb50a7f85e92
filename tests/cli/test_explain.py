"""`edgegap explain`: pictures of class maps, a record beside them, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgegap.data import load_preprocessing
from edgegap.models import Arguments, Checkpoint, build_network
from edgegap.models.heads import HeadName
from edgegap.schema import read_record

from .harness import edgegap, left_behind, refused, write_images


def digit(path: Path, size: int = 8) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size), np.uint8)).save(path)
    return path


def change_manifest(bundle: Path, **changes: object) -> None:
    path = bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def save_checkpoint(path: Path, head: HeadName = "gap", model: str = "zoo:nin_tiny") -> Path:
    arguments = Arguments((1, 8, 8), 10, head)
    state = build_network("nin_tiny", arguments).state_dict()
    Checkpoint(model, arguments, False, state, tuple("0123456789"), load_preprocessing("unit")).save(path)
    return path


def test_the_verb_is_listed() -> None:
    assert "explain" in edgegap("--help").out


def test_the_images_that_moved_most_and_ordinary_ones_are_drawn_into_the_bundle(bundle: Path) -> None:
    done = edgegap("explain", bundle, "--data", "digits:test", "--samples", 40, "--json", "-")
    assert done.status == 0, done.err
    record = read_record(bundle / "maps" / "maps.json", "explain")
    assert record == done.record
    assert [entry["why"] for entry in record["images"]] == ["moved"] * 6 + ["ordinary"] * 3
    assert left_behind(bundle / "maps") == [*sorted(entry["file"] for entry in record["images"]), "maps.json"]
    for entry in record["images"]:
        with Image.open(bundle / "maps" / entry["file"]) as picture:
            assert picture.size[0] > 3 * 256
        assert entry["pearson"] > 0.9
        assert abs(entry["float_pct"] - entry["int8_pct"]) < 20
    figures = [entry["pearson"] for entry in record["images"]]
    assert figures[:6] == sorted(figures[:6])
    assert record["maps"]["n"] == 40
    assert record["maps"]["moved"][0]["image"] == record["images"][0]["image"]


def test_one_image_file_is_drawn_without_data(bundle: Path, tmp_path: Path) -> None:
    done = edgegap("explain", bundle, "--image", digit(tmp_path / "my digit.png"), "-o", tmp_path / "out")
    assert done.status == 0, done.err
    assert left_behind(tmp_path / "out") == ["01-my-digit-png.png", "maps.json"]
    (entry,) = read_record(tmp_path / "out" / "maps.json", "explain")["images"]
    assert (entry["why"], entry["label"], entry["image"]) == ("asked", None, "my digit.png")
    assert "my-digit" in done.out
    assert not (bundle / "maps").exists()


def test_fewer_images_than_pictures_are_each_drawn_once(bundle: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", images=np.random.default_rng(1).integers(0, 256, (2, 8, 8), np.uint8))
    done = edgegap(
        "explain", bundle, "--data", tmp_path / "two.npz", "--image", digit(tmp_path / "a.png"), "--json", "-"
    )
    assert done.status == 0, done.err
    assert [entry["why"] for entry in done.record["images"]] == ["asked", "moved", "moved"]
    assert [entry["file"][:2] for entry in done.record["images"]] == ["01", "02", "03"]


def test_a_bundle_of_integers_is_explained_too(integers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = edgegap("explain", integers, "--data", "digits:test", "--samples", 10, "-o", out, "--json", "-")
    assert done.status == 0, done.err
    assert done.record["maps"]["pearson"] > 0.9


def test_a_second_call_replaces_the_first(bundle: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        assert edgegap("explain", bundle, "--image", digit(tmp_path / name)).status == 0
    assert left_behind(bundle / "maps") == ["01-b-png.png", "maps.json"]
    assert not [name for name in left_behind(bundle) if name.startswith(".")]


def test_a_folder_of_something_else_is_not_replaced(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    refused("explain", bundle, "--data", "digits:test", "-o", tmp_path / "mine", words="holds no maps.json")
    assert left_behind(tmp_path / "mine") == ["thesis.txt"]


@pytest.mark.parametrize(("head", "words"), [("fc", "a fully connected layer"), ("none", "no global average")])
def test_a_head_without_class_maps_gets_a_sentence(bundle: Path, head: str, words: str) -> None:
    change_manifest(bundle, head=head)
    refused("explain", bundle, "--data", "digits:test", words=(words, "gap-linear"))
    assert "maps" not in left_behind(bundle)


def test_neither_data_nor_image_is_refused(bundle: Path) -> None:
    refused("explain", bundle, words=("nothing to explain", "--data"))


def test_what_is_not_there_or_no_image_is_refused_and_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    before = left_behind(bundle)
    refused("explain", bundle, "--image", tmp_path / "none.png", words=("none.png", "no such file"))
    refused("explain", bundle, "--image", tmp_path / "broken.png", words=("broken.png", "not an image"))
    refused("explain", bundle, "--data", tmp_path / "nowhere", words="no such file or folder")
    refused("explain", tmp_path, "--data", "digits:test", words="not a bundle")
    assert left_behind(bundle) == before


def test_an_image_that_does_not_fit_is_refused_by_name(bundle: Path, tmp_path: Path) -> None:
    refused("explain", bundle, "--image", digit(tmp_path / "large.png", 30), words=("large.png", "(1, 30, 30)"))
    refused("explain", bundle, "--data", write_images(tmp_path / "data", {"3": 2}, size=12), words="(1, 12, 12)")


def leave_out(bundle: Path, name: str) -> None:
    files = json.loads((bundle / "manifest.json").read_text())["files"]
    change_manifest(bundle, files=[file for file in files if file["name"] != name])


def test_a_bundle_without_the_float_network_is_refused(bundle: Path) -> None:
    leave_out(bundle, "float.onnx")
    refused("explain", bundle, "--data", "digits:test", words=(str(bundle), "has no float.onnx", "--format"))


def test_a_bundle_without_int8_shows_the_float_network_alone_and_its_report_says_so(
    bundle: Path, tmp_path: Path
) -> None:
    leave_out(bundle, "int8.onnx")
    done = edgegap("explain", bundle, "--data", "digits:test", "--samples", 40)
    assert done.status == 0, done.err
    assert "no int8.onnx" in done.err
    assert "int8 %" not in done.out
    assert edgegap("report", bundle, "-o", tmp_path / "report.html").status == 0
    page = (tmp_path / "report.html").read_text()
    assert "There is no int8.onnx" in page
    assert "in float and in int8" not in page


@pytest.mark.parametrize("head", ["gap", "gap-linear"])
def test_a_checkpoint_shows_its_float_network_alone(head: HeadName, tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "digits.pt", head)
    done = edgegap("explain", path, "--data", "digits:test", "--samples", 40, "--json", "-")
    assert done.status == 0, done.err
    assert "no int8.onnx" in done.err
    assert left_behind(tmp_path) == ["digits-maps", "digits.pt"]
    record = read_record(tmp_path / "digits-maps" / "maps.json", "explain")
    assert record == done.record
    assert (record["bundle_model"], record["head"]) == (str(path), head)
    assert record["artifact"] is record["maps"] is None
    assert [entry["why"] for entry in record["images"]] == ["ordinary"] * 9
    for entry in record["images"]:
        assert entry["label"] in "0123456789"
        assert entry["int8_pct"] is entry["int8_class"] is entry["pearson"] is entry["iou"] is None
        with Image.open(tmp_path / "digits-maps" / entry["file"]) as picture:
            assert 2 * 256 < picture.size[0] < 3 * 256


def test_a_checkpoint_that_has_no_maps_or_no_code_is_refused_by_its_own_name(tmp_path: Path) -> None:
    fc = save_checkpoint(tmp_path / "fc.pt", "fc-dropout")
    refused("explain", fc, "--data", "digits:test", words=(str(fc), "a fully connected layer"))
    own = save_checkpoint(tmp_path / "own.pt", model="nets.py:mine")
    refused("explain", own, "--data", "digits:test", words=(str(own), "nets.py:mine", "give the bundle"))
    (tmp_path / "text.pt").write_text("not weights")
    refused("explain", tmp_path / "text.pt", "--data", "digits:test", words=("text.pt", "not a state dict"))
    assert left_behind(tmp_path) == ["fc.pt", "own.pt", "text.pt"]
