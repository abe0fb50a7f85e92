"""Images from folders: order, labels, even shares, and files that cannot be read."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edgegap.data import load_preprocessing, open_data, read_classes, read_titles
from edgegap.data.folder import FolderSource, decode
from edgegap.errors import DataError

TINY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8))


def folder_of(root: Path, files: list[str]) -> str:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        TINY.save(path)
    return str(root)


def test_subfolders_are_classes_and_everything_is_sorted(tmp_path: Path) -> None:
    folder_of(tmp_path, ["cat/2.png", "cat/10.PNG", "ant/b.bmp", "ant/a.ppm", "bee/x.webp", ".git/y.png", "cat/.z.png"])
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "readme.txt").write_text("no image")
    source = open_data(str(tmp_path))
    assert source.classes == ("ant", "bee", "cat")
    assert source.count == 5
    assert [(sample.name, sample.label) for sample in source] == [
        ("ant/a.ppm", 0),
        ("ant/b.bmp", 0),
        ("bee/x.webp", 1),
        ("cat/10.PNG", 2),
        ("cat/2.png", 2),
    ]


def test_an_empty_subfolder_is_a_class_too(tmp_path: Path) -> None:
    folder_of(tmp_path, ["a/1.png", "c/1.png"])
    (tmp_path / "b").mkdir()
    assert [sample.label for sample in open_data(str(tmp_path))] == [0, 2]


def test_images_in_the_folder_itself_have_no_label(tmp_path: Path) -> None:
    source = open_data(folder_of(tmp_path, ["2.png", "1.png"]))
    assert source.classes is None
    assert [(sample.name, sample.label) for sample in source] == [("1.png", None), ("2.png", None)]
    assert [sample.name for sample in source.take(1)] == ["1.png"]


def test_a_classes_file_gives_labels_and_order(tmp_path: Path) -> None:
    spec = folder_of(tmp_path / "images", ["ant/1.png", "bee/1.png", "bee/2.png"])
    (tmp_path / "classes.txt").write_text("wasp a wasp\nbee, or bumble\n\nbee the insect\nant an insect\n")
    source = open_data(spec, classes=tmp_path / "classes.txt")
    assert source.classes == ("wasp", "bee,", "bee", "ant")
    assert [(sample.name, sample.label) for sample in source] == [("bee/1.png", 2), ("bee/2.png", 2), ("ant/1.png", 3)]
    assert [sample.name for sample in source.take(2)] == ["bee/1.png", "ant/1.png"]


def test_titles_are_the_words_behind_the_folders_name_and_tell_every_class_from_the_others(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("n01 great tench, Tinca\n\nn02 crane, a bird\nn03 crane\nn04\nn05 ,\n")
    assert read_titles(path) == ("great tench", "crane (n02)", "crane (n03)", "n04", "n05")
    assert len(read_titles(path)) == len(read_classes(path))


def test_subfolders_missing_from_the_classes_file_are_named(tmp_path: Path) -> None:
    spec = folder_of(tmp_path / "images", [f"{name}/1.png" for name in "abcdefg"])
    (tmp_path / "classes.txt").write_text("g\n")
    with pytest.raises(DataError, match=r"6 of its 7 classes .* a, b, c, d, e, \.\.\."):
        open_data(spec, classes=tmp_path / "classes.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no class"), (b"a\nb\na x\n", "class 'a' is also on line 1"), (b"\xff\xfe", "not UTF-8")],
)
def test_a_classes_file_that_is_none_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_data(folder_of(tmp_path / "images", ["a/1.png"]), classes=tmp_path / "classes.txt")
    with pytest.raises(DataError, match="No such file"):
        open_data(str(tmp_path / "images"), classes=tmp_path / "none.txt")


@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=6), n=st.integers(1, 60))
def test_take_gives_each_class_an_even_share_in_the_folder_order(sizes: list[int], n: int) -> None:
    files = tuple((f"{label}/{index}", label) for label, size in enumerate(sizes) for index in range(size))
    taken = FolderSource("folder", files, None, strict=False).take(n).files
    shares = Counter(label for _, label in taken)
    assert len(taken) == min(n, len(files))
    assert list(taken) == [file for file in files if file in taken]
    for label, size in enumerate(sizes):
        assert [name for name, owner in taken if owner == label] == [f"{label}/{k}" for k in range(shares[label])]
        # A class with less than another has nothing left to give, or only comes later in the round.
        for other in range(len(sizes)):
            assert shares[label] == size or shares[other] - shares[label] <= (1 if other < label else 0)


def test_take_0_is_everything_and_negative_numbers_are_refused(tmp_path: Path) -> None:
    source = open_data(folder_of(tmp_path, ["a/1.png", "a/2.png"]))
    assert source.take(0).count == 2
    with pytest.raises(DataError, match="cannot take -1"):
        source.take(-1)


def test_corrupt_images_among_good_ones_are_skipped_and_named(tmp_path: Path) -> None:
    spec = folder_of(tmp_path, ["a/1.png", "a/2.png", "b/3.png"])
    (tmp_path / "a" / "2.png").write_bytes((tmp_path / "a" / "1.png").read_bytes()[:60])
    (tmp_path / "b" / "4.jpg").write_text("not an image")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "b" / "5.png")
    source = open_data(spec)
    for _ in range(2):
        assert [sample.name for sample in source] == ["a/1.png", "b/3.png"]
        assert [line.partition(":")[0] for line in source.skipped] == ["a/2.png", "b/4.jpg", "b/5.png"]
    assert "8 bits" in source.skipped[2]
    assert source.count == 5


def test_strict_makes_one_corrupt_image_an_error(tmp_path: Path) -> None:
    spec = folder_of(tmp_path, ["a/1.png", "a/2.png"])
    (tmp_path / "a" / "2.png").write_text("not an image")
    with pytest.raises(DataError) as caught:
        list(open_data(spec, strict=True).take(2))
    assert str(caught.value.where).endswith("a/2.png")


def test_only_corrupt_images_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_text("not an image")
    (tmp_path / "2.jpeg").write_bytes(b"")
    with pytest.raises(DataError, match="none of its 2 images can be read"):
        list(open_data(str(tmp_path)))


def test_folders_without_images_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty folder"):
        open_data(str(tmp_path))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.txt").write_text("no image")
    with pytest.raises(DataError, match="no images in it") as caught:
        open_data(str(tmp_path))
    assert ".jpg .jpeg .png .bmp .webp .ppm" in str(caught.value.hint)


def test_images_beside_class_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images \(1.png\) beside subfolders \(a\)"):
        open_data(folder_of(tmp_path, ["1.png", "a/1.png"]))


def test_the_exif_orientation_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert decode(tmp_path / "turned.jpg").shape == (4, 8, 3)


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("CMYK", 3)]
)
def test_every_mode_becomes_grey_or_rgb(tmp_path: Path, mode: str, channels: int) -> None:
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    Image.new(mode, (5, 4)).save(path)
    pixels = decode(path)
    assert (pixels.dtype, pixels.shape) == (np.uint8, (4, 5, channels))


def test_a_decompression_bomb_is_an_error(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match="decompression bomb") as caught:
        list(open_data(str(tmp_path)))
    assert str(caught.value.where).endswith("bomb.png")


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("encoded")
    for suffix in ("jpg", "png", "bmp", "webp", "ppm"):
        TINY.save(folder / f"image.{suffix}")
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_random_image_files_give_pixels_or_a_data_error(
    tmp_path: Path, encoded: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(encoded)))
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    (tmp_path / "image.jpg").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(DataError):
        for sample in open_data(str(tmp_path)):
            assert sample.image.dtype == np.uint8


def test_imagenet_photos_are_read_in_the_given_class_order(data_dir: Path) -> None:
    source = open_data(str(data_dir / "imagenet" / "val"), classes=data_dir / "imagenet" / "classes.txt")
    assert source.count == 400
    assert source.classes is not None
    assert len(source.classes) == 1000
    taken = list(source.take(40))
    assert len({sample.label for sample in taken}) == 40
    assert all(source.classes[sample.label or 0] == sample.name.partition("/")[0] for sample in taken)
    assert load_preprocessing("imagenet").pixels(taken[0].image).shape == (224, 224, 3)  # type: ignore[arg-type] # pixels


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8))
    for index in range(60):
        image.save(tmp_path / f"{index}.bmp")
    source = open_data(str(tmp_path))
    next(iter(source))  # what Pillow loads once
    peaks = []
    for _ in range(3):  # the least of three: another thread of the test process may allocate meanwhile
        tracemalloc.start()
        assert sum(1 for _ in source) == 60
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert min(peaks) < 10 * 128 * 128 * 3
