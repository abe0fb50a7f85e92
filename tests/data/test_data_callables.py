"""Images from a person's own function: what it may yield, and what its mistakes say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgegap.data import open_data
from edgegap.errors import DataError

HEAD = "import numpy as np\npixels = np.zeros((4, 5, 3), np.uint8)\nvalues = np.zeros((3, 4, 5), np.float32)\n"


def script(folder: Path, body: str) -> str:
    (folder / "loader.py").write_text(HEAD + body)
    return f"{folder / 'loader.py'}:images"


def test_pixels_and_values_come_in_the_order_they_are_yielded(tmp_path: Path) -> None:
    spec = script(
        tmp_path, "def images():\n    yield pixels, 3\n    yield pixels[..., 0], None\n    yield values, np.int64(1)\n"
    )
    source = open_data(spec)
    assert source.count is None
    for _ in range(2):
        assert [(s.image.shape, str(s.image.dtype), s.label) for s in source] == [
            ((4, 5, 3), "uint8", 3),
            ((4, 5, 1), "uint8", None),
            ((3, 4, 5), "float32", 1),
        ]
    assert [sample.name for sample in source.take(2)] == ["item 0", "item 1"]
    assert len(list(source.take(2).take(0))) == len(list(source.take(2).take(9))) == 2


def test_an_endless_callable_can_be_taken_from(tmp_path: Path) -> None:
    spec = script(tmp_path, "def images():\n    while True:\n        yield pixels, 0\n")
    assert len(list(open_data(spec).take(5))) == 5


def test_a_file_finds_its_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    (tmp_path / "edgegap_neighbour.py").write_text("LABEL = 7\n")
    spec = script(
        tmp_path, "def images():\n    import edgegap_neighbour\n    return [(pixels, edgegap_neighbour.LABEL)]\n"
    )
    assert [sample.label for sample in open_data(spec)] == [7]


def test_a_module_of_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgegap_package").mkdir()
    (tmp_path / "edgegap_package" / "images.py").write_text(HEAD + "def stream():\n    yield pixels, 0\n")
    assert len(list(open_data("edgegap_package.images:stream"))) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def images():\n    yield 1\n", r"yields a int, not \(image, label\)"),
        ("def images():\n    yield pixels\n", "yields a ndarray"),
        ("def images():\n    yield pixels, 0, 'name'\n", "yields a tuple of 3"),
        ("def images():\n    yield [[1]], 0\n", "the image is a list"),
        ("def images():\n    yield values.astype(float), 0\n", "the image is float64"),
        ("def images():\n    yield values[0, 0], 0\n", r"the image is float32 \[5\]"),
        ("def images():\n    yield values[:0], 0\n", r"the image is float32 \[0, 4, 5\]"),
        ("def images():\n    yield values * np.nan, 0\n", "NaN"),
        ("def images():\n    yield values + np.inf, 0\n", "infinity"),
        ("def images():\n    yield pixels.transpose(2, 0, 1), 0\n", "uint8 images of shape"),
        ("def images():\n    yield pixels[:0], 0\n", "without pixels"),
        ("def images():\n    yield pixels, 'cat'\n", "the label is a str"),
        ("def images():\n    yield pixels, True\n", "the label is a bool"),
        ("def images():\n    yield pixels, -1\n", "label -1 is negative"),
        ("def images():\n    yield pixels, 2**70\n", "64 bits"),
        ("def images():\n    return []\n", "yields no image"),
        ("def images():\n    pass\n", "raised TypeError: 'NoneType' object is not iterable"),
        ("def images(folder):\n    yield pixels, 0\n", "raised TypeError: images.. missing 1 required"),
        ("def images():\n    raise SystemExit('done')\n", "raised SystemExit: done"),
    ],
)
def test_what_is_no_image_and_label_is_told(tmp_path: Path, body: str, message: str) -> None:
    spec = script(tmp_path, body)
    with pytest.raises(DataError, match=message) as caught:
        list(open_data(spec))
    assert str(caught.value.where).startswith(spec)
    assert caught.value.hint


def test_an_exception_is_told_with_the_line_that_raised(tmp_path: Path) -> None:
    spec = script(tmp_path, "def images():\n    yield pixels, 0\n    raise KeyError('split')\n")
    with pytest.raises(DataError, match=r"raised KeyError: 'split' \(.*loader\.py:6\)"):
        list(open_data(spec))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("1 / 0\n", r"raised ZeroDivisionError: division by zero \(.*loader\.py:4\)"),
        ("def images(:\n", "raised SyntaxError"),
        ("import sys; sys.exit(3)\n", "raised SystemExit: 3"),
        ("import edgegap_no_such_module\n", "raised ModuleNotFoundError: No module named"),
        ("def other():\n    pass\n", "has nothing called 'images'"),
        ("images = 3\n", "has no function called 'images'"),
    ],
)
def test_a_file_that_does_not_import_is_told(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_data(script(tmp_path, body))


def test_a_missing_file_or_module_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_data(f"{tmp_path / 'none.py'}:images")
    with pytest.raises(DataError, match="no module is called 'edgegap_none'") as caught:
        open_data("edgegap_none.part:images")
    assert "yields (image, label)" in str(caught.value.hint)


def test_a_label_beyond_the_classes_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("ant\nbee\n")
    source = open_data(script(tmp_path, "def images():\n    yield pixels, 2\n"), classes=tmp_path / "classes.txt")
    assert source.classes == ("ant", "bee")
    with pytest.raises(DataError, match="label 2, but there are only 2 classes"):
        list(source)
