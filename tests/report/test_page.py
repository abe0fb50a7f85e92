"""The page is whole in itself, can be read by everybody, and shows what the records hold, as they hold it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edgegap.report.report import report

from .bundles import full_bundle, make_bundle, picture, record
from .parts import Page

NASTY = "<script>alert(1)</script>\"' onload='x' $\\frac{1$ &amp; {{ 7*7 }} \x00\ud800 猫"


def page(*bundles: Path) -> Page:
    return Page(report(bundles, "html"))


@pytest.fixture(params=["one", "several", "unchecked"], scope="module")
def any_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Page:
    tmp_path = tmp_path_factory.mktemp(request.param)
    if request.param == "unchecked":
        return page(make_bundle(tmp_path / "a"))
    first = full_bundle(tmp_path / "a")
    return page(first) if request.param == "one" else page(first, full_bundle(tmp_path / "b"))


def test_a_page_has_one_title_and_headings_in_order(any_page: Page) -> None:
    levels = [int(heading[1]) for heading in any_page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    (html,) = any_page.all("html")
    assert html.attributes["lang"] == "en"
    (title,) = [element for element in any_page.all("title") if element.text]
    assert "EdgeGAP" in title.text


def test_a_page_can_be_used_without_seeing_it_or_a_mouse(any_page: Page) -> None:
    assert all(image.attributes["alt"] for image in any_page.all("img"))
    for svg in any_page.all("svg"):
        assert svg.attributes["role"] == "img"
        assert svg.attributes["aria-label"]
    for region in [e for e in any_page.elements if e.attributes.get("class") == "scroll"]:
        assert region.attributes["tabindex"] == "0"
        assert region.attributes["aria-label"]
    assert all(cell.attributes.get("scope") for cell in any_page.all("th"))
    ids = [element.attributes["id"] for element in any_page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    (skip,) = any_page.all("a")
    assert skip.attributes["href"][1:] in ids


def test_a_page_loads_nothing_and_runs_nothing(any_page: Page) -> None:
    assert not any_page.all("script", "iframe", "object", "embed", "form", "base")
    policy = [meta.attributes["content"] for meta in any_page.all("meta") if "http-equiv" in meta.attributes]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    for element in any_page.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), element
            if name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
                assert value.startswith(("data:", "#")), element
            for target in re.findall(r"url\(([^)]*)\)", value):
                assert target.startswith("#"), element
    (style,) = any_page.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_everything_that_a_record_holds_is_shown(tmp_path: Path) -> None:
    shown = page(full_bundle(tmp_path / "digits"))
    assert shown.headings == [
        "h1 network.py:tiny_nin",
        *("h2 Look at the input first", "h2 Accuracy", "h2 Confidence", "h2 Classes", "h2 Layers"),
        *("h2 Class confidence maps", "h2 Small shifts", "h2 Do the files agree?", "h2 Run it again"),
        *("h2 Files", "h2 Latency and memory"),
    ]
    for words in (
        "int8 fails the gate of 1.00\u00a0pp",
        "98.00",
        "0.11 to 2.56\u00a0pp",
        "every image of class 8 is darker than 0.1",
        "1 of 10 classes changed",
        "8 taken for 1: 5\u00a0images",
        "Its weights reach 12 times their standard deviation. What helps: equalize = true.",
        "Shifted by up to 1 pixel, 88.60\u00a0% of 500\u00a0images keep their answer in float and 88.40\u00a0% in int8",
        "0 of 5,000 output integers differ (0 allowed)",
        "edgegap check digits --data digits:test --max-drop 1",
        "A processor",
        "session.x64quantprecision = 1",
        "exact: both int8 files give the same integers for every 8-bit image",
        "images[201], the map of 0",
        "0.375",
    ):
        assert words.replace("\u00a0", " ") in shown.text.replace("\u00a0", " ")
    assert len(shown.all("svg")) == 3
    assert len(shown.all("img")) == 2


def test_what_was_not_measured_is_left_out_or_says_what_makes_it(tmp_path: Path) -> None:
    shown = page(make_bundle(tmp_path / "early", [record("early_check")]))
    assert "h2 Classes" not in shown.headings
    assert "h2 Latency and memory" not in shown.headings
    assert f"no interval of the drop: edgegap check {tmp_path / 'early'} --data" in shown.text
    assert "89.02" in shown.text


def test_an_unchecked_bundle_says_what_to_run(tmp_path: Path) -> None:
    shown = page(make_bundle(tmp_path / "new"))
    assert "Nobody has checked this bundle yet" in shown.text
    assert f"edgegap check {tmp_path / 'new'} --data DATA" in shown.text
    assert "h2 Files" in shown.headings


def test_without_labels_there_is_a_sentence_and_no_drop(tmp_path: Path) -> None:
    check = record("check") | {"gate": None, "per_class": [], "confusions": []}
    gone = dict.fromkeys(("top1_pct", "drop_pp", "drop_ci95_pp", "mcnemar_p", "lost", "won", "ece", "lost_to_ties"))
    for row in (check["reference"], *check["results"]):
        row.update({key: None for key in gone if key in row})
    shown = page(make_bundle(tmp_path / "a", [check]))
    assert "Not every image has a label" in shown.text
    assert "97.40" in shown.text


def test_every_data_set_has_a_section_the_newest_first(tmp_path: Path) -> None:
    dates = ["2026-11-24T10:00:00+00:00", "2026-11-25T00:30:00+02:00", "2026-11-24T12:00:00+00:00"]
    checks = [record("check") | {"date": date, "data": f"set{k}.npz"} for k, date in enumerate(dates)]
    shown = page(make_bundle(tmp_path / "a", checks))
    assert [h for h in shown.headings if "On " in h] == [
        f"h2 On {name}.npz, 500 images" for name in ("set1", "set2", "set0")
    ]


def test_names_from_files_are_text_wherever_they_stand(tmp_path: Path) -> None:
    def spoil(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: spoil(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [spoil(item, key) for item in value]
        kept = {"schema", "file", "format", "precision", "sha256", "verdict", "why", "date", "exactness", "artifact"}
        return NASTY if isinstance(value, str) and key not in kept else value

    manifest = spoil(record("manifest"))
    del manifest["files"]
    bundle = make_bundle(
        tmp_path / "a",
        [spoil(record("check"))],
        benches=[spoil(record("bench"))],
        maps=spoil(record("maps")),
        **manifest | {"io": "float", "target": NASTY},
    )
    html = report([bundle], "html")
    assert "<script" not in html
    shown = Page(html)
    assert "<script>alert(1)</script>" in shown.text
    assert "{{ 7*7 }}" in shown.text
    assert not any(name.startswith("on") for element in shown.elements for name in element.attributes)
    assert "<script" not in report([bundle, bundle], "html")


def test_a_thousand_classes_and_many_large_pictures_stay_below_5_mb(tmp_path: Path) -> None:
    check = record("check")
    check["per_class"] = [check["per_class"][0] | {"name": f"class {k}", "drop_pp": k / 100} for k in range(1000)]
    check["layers"]["rows"] *= 30
    maps = record("maps")
    maps["images"] = [maps["images"][0] | {"file": f"{k}.png"} for k in range(30)]
    bundle = make_bundle(tmp_path / "a", [check], maps=maps)
    large = picture(400, noise=True)
    for entry in maps["images"]:
        (bundle / "maps" / entry["file"]).write_bytes(large)
    html = report([bundle], "html")
    assert len(html.encode()) < 5_000_000
    shown = Page(html)
    drawn = len(shown.all("img"))
    assert 0 < drawn < 30
    assert f"{30 - drawn} more in" in shown.text
    assert "The 20 with the largest change are shown" in shown.text
    assert "class 999" in shown.text
    assert "class 979" not in shown.text


def test_the_same_records_make_the_same_page(tmp_path: Path) -> None:
    bundle = full_bundle(tmp_path / "a")
    assert report([bundle], "html") == report([bundle], "html")


def test_bundles_on_the_same_images_stand_side_by_side(tmp_path: Path) -> None:
    other = record("check")
    for row in other["results"][1:]:
        row.update(top1_pct=99.0, drop_pp=0.2)
    slow = record("bench")
    for row in slow["results"]:
        row["latency_ms"] = {key: 2 * value for key, value in row["latency_ms"].items()}
    a = full_bundle(tmp_path / "first")
    b = make_bundle(tmp_path / "second", [other], benches=[slow])
    shown = page(a, b)
    assert [h for h in shown.headings if h[:2] in ("h1", "h2")] == [
        "h1 2 bundles side by side",
        "h2 On digits:test, 500 images",
        "h2 A: first",
        "h2 B: second",
    ]
    labels = [svg.attributes["aria-label"] for svg in shown.all("svg")]
    size, latency = labels[:2]
    # What no other file beats: the smaller file of each accuracy, then the faster.
    assert size.startswith("Top-1 against size, KiB.")
    assert "B int8.tflite 99.00 % at 1" in size
    assert latency.startswith("Top-1 against latency on pi4, 1 thread, ms.")
    assert "A int8.tflite 98.00 % at 0.375; B int8.tflite 99.00 % at 0.75; A float.onnx 99.20" in latency


def test_bundles_on_different_images_are_not_compared(tmp_path: Path) -> None:
    a = full_bundle(tmp_path / "a")
    b = make_bundle(tmp_path / "b", [record("check") | {"n": 100}])
    assert "cannot be compared yet" in page(a, b).text


def test_a_page_of_what_the_commands_wrote(made: tuple[Path, dict[str, Any]]) -> None:
    shown = page(made[0])
    assert "both files give the same integers" in shown.text
    assert len(shown.all("img")) == 9
    assert "h2 Layers" in shown.headings
