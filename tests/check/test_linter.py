"""Right inputs give no line, and each mistake gives its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgegap.check.answer_linter import lint_results, swap_gains
from edgegap.check.images import ImageSet, save_images
from edgegap.check.linter import (
    few_calibration_images,
    image_hashes,
    lint_images,
    spread,
    swapped,
)
from edgegap.data import PRESETS, Preprocessing, open_data, read_classes

TEN = tuple("0123456789")
IMAGENET = replace(PRESETS["imagenet"], resize=None, crop=None)
CIFAR10 = PRESETS["cifar10"]
MNIST = Preprocessing(scale=1 / 255, mean=(0.1307,), std=(0.3081,))
DIGITS = Preprocessing(scale=1 / 255, mean=(0.305,), std=(0.376,))
SIGNED = Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.5,))
CAFFE = Preprocessing(channels="bgr", mean=(104, 117, 123))

Make = Callable[..., ImageSet]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Images of an array: uint8 pixels [n, H, W, C] with their record, or float32 values [n, C, H, W]."""

    def images(
        array: NDArray[Any], record: Preprocessing | None = None, labels: NDArray[Any] | None = None
    ) -> ImageSet:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, array)
        pixels = array.dtype == np.uint8
        shape = (array.shape[3], *array.shape[1:3]) if pixels else array.shape[1:]
        table = record.table(shape[0]) if pixels and record is not None else None
        return ImageSet(
            path,
            np.arange(len(array)) % 10 if labels is None else labels,
            tuple(map(str, range(len(array)))),
            table,
            shape,
        )

    return images


@pytest.fixture(scope="module")
def cifar(data_dir: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    with np.load(data_dir / "cifar10_test.npz") as archive:
        return archive["images"], archive["labels"]


def only(lines: list[str], *words: str) -> None:
    """One line, with these words in it."""
    assert len(lines) == 1, lines
    assert "\n" not in lines[0]
    for word in words:
        assert word in lines[0], lines[0]


# Right inputs


@pytest.mark.parametrize("record", [CIFAR10, IMAGENET, PRESETS["raw"], PRESETS["unit"], SIGNED, CAFFE])
def test_cifar10_gives_no_line(data_dir, tmp_path, record):
    source = open_data(str(data_dir / "cifar10_test.npz"))
    images = save_images(source, record, tmp_path / "images.npy", lambda *_: None)
    train = open_data(str(data_dir / "cifar10_train.npz")).take(2000)
    calibration = image_hashes(save_images(train, record, tmp_path / "train.npy", lambda *_: None))
    assert lint_images(images, record, source.classes, calibration) == []


def test_imagenet_photos_give_no_line(data_dir, tmp_path):
    record = replace(PRESETS["imagenet"], resize=None)
    names = data_dir / "imagenet" / "classes.txt"
    sets = [
        save_images(
            open_data(str(data_dir / "imagenet" / part), classes=names).take(200),
            record,
            tmp_path / f"{part}.npy",
            lambda *_: None,
        )
        for part in ("val", "calibration")
    ]
    calibration = image_hashes(sets[1])
    assert lint_images(sets[0], record, read_classes(names), calibration) == []
    assert lint_images(sets[1], record, read_classes(names)) == []
    assert few_calibration_images(256, 1000) is None


@pytest.mark.parametrize("record", [MNIST, PRESETS["raw"], PRESETS["unit"], SIGNED])
def test_mnist_gives_no_line(data_dir, make, record):
    with np.load(data_dir / "mnist.npz") as archive:
        test, labels = archive["test_images"][..., np.newaxis], archive["test_labels"]
        train = archive["train_images"][:2000, ..., np.newaxis]
    assert lint_images(make(test, record, labels), record, TEN, image_hashes(make(train, record))) == []


@pytest.mark.parametrize("record", [DIGITS, PRESETS["raw"], PRESETS["unit"], SIGNED])
def test_digits_give_no_line(tmp_path, record):
    test, train = (
        save_images(open_data(f"digits:{part}"), record, tmp_path / f"{part}.npy", lambda *_: None)
        for part in ("test", "train")
    )
    assert lint_images(test, record, TEN, image_hashes(train)) == []


@pytest.mark.parametrize("record", [CIFAR10, IMAGENET, PRESETS["unit"], SIGNED, CAFFE, PRESETS["raw"], None])
def test_float_images_preprocessed_as_the_record_says_give_no_line(cifar, make, record):
    values = (record or CIFAR10).apply(cifar[0][:600])
    assert lint_images(make(values), record, TEN) == []


def test_a_range_that_the_scale_was_made_for_gives_no_line(make):
    pixels = np.random.default_rng(0).integers(0, 17, (64, 8, 8, 1), dtype=np.uint8)
    record = Preprocessing(scale=1 / 16)
    assert lint_images(make(pixels, record), record, TEN) == []


def test_one_image_gives_no_line(cifar, make):
    assert lint_images(make(cifar[0][:1], CIFAR10), CIFAR10, TEN) == []


# Values


@pytest.mark.parametrize("record", [CIFAR10, IMAGENET, PRESETS["unit"], SIGNED])
def test_raw_values_for_a_normalized_network_are_noticed(cifar, make, record):
    values = np.moveaxis(cifar[0][:300], 3, 1).astype(np.float32)
    only(lint_images(make(values), record, TEN), "0..255", "still pixels")


@pytest.mark.parametrize("record", [CIFAR10, IMAGENET, SIGNED, CAFFE])
def test_unit_values_for_a_normalized_network_are_noticed(cifar, make, record):
    values = PRESETS["unit"].apply(cifar[0][:300])
    only(lint_images(make(values), record, TEN), "0..1", "none below 0", "apply its scale, mean and std")


@pytest.mark.parametrize("record", [CIFAR10, IMAGENET])
def test_double_normalization_is_noticed(cifar, make, record):
    once = record.apply(cifar[0][:300])
    mean, std = (np.array(row, dtype=np.float32)[:, None, None] for row in (record.mean, record.std))
    only(lint_images(make((once - mean) / std), record, TEN), "applied twice")


def test_double_scaling_is_noticed(cifar, make):
    values = PRESETS["unit"].apply(cifar[0][:300]) / 255
    only(lint_images(make(values), PRESETS["unit"], TEN), "0..0.0039")


def test_normalized_values_for_a_unit_network_are_noticed(cifar, make):
    only(lint_images(make(CIFAR10.apply(cifar[0][:300])), PRESETS["unit"], TEN), "the preprocessing gives 0..1")


@pytest.mark.parametrize("record", [CIFAR10, PRESETS["raw"], PRESETS["unit"]])
@pytest.mark.parametrize("brightest", [1, 15])
def test_a_small_range_stored_as_uint8_is_noticed(cifar, make, record, brightest):
    pixels = (cifar[0][:300].astype(np.float64) * brightest / 255).astype(np.uint8)
    only(
        lint_images(make(pixels, record), record, TEN), f"brightest pixel of 300 images is {brightest}", "rint(value *"
    )


def test_normalized_values_cast_to_uint8_are_noticed(cifar, make):
    pixels = np.moveaxis(CIFAR10.apply(cifar[0][:300]), 1, 3).astype(np.int8).view(np.uint8)
    only(lint_images(make(pixels, CIFAR10), CIFAR10, TEN), "cast to uint8")


def test_black_images_are_noticed(make):
    only(lint_images(make(np.zeros((20, 8, 8, 1), np.uint8), MNIST), MNIST, TEN), "every pixel of 20 images is 0")


def test_a_record_without_its_scale_is_noticed(cifar, make):
    record = replace(CIFAR10, scale=1.0)
    only(lint_images(make(cifar[0][:8], record), record, TEN), "but scale 1", "set scale to 0.003921568627")


def test_a_record_of_two_ranges_is_noticed(cifar, make):
    record = Preprocessing(scale=1 / 255, mean=(125.3, 123, 113.9), std=(63, 62.1, 66.7))
    only(lint_images(make(cifar[0][:8], record), record, TEN), "of pixels in 0..255, but scale 0.00392")


def test_inverted_images_are_noticed(data_dir, make):
    with np.load(data_dir / "mnist.npz") as archive:
        inverted = 255 - archive["test_images"][:300, ..., np.newaxis]
    only(lint_images(make(inverted, MNIST), MNIST, TEN), "have mean 2.4", "far from the 0 and 1")


def test_grey_images_for_a_colour_network_are_noticed(cifar, make):
    grey = cifar[0][:300].mean(axis=3, keepdims=True).astype(np.uint8).repeat(3, axis=3)
    only(lint_images(make(grey, CIFAR10), CIFAR10, TEN), "all 300 images are grey", "three equal channels")


# Images and labels


def test_one_image_many_times_is_noticed(cifar, make):
    only(lint_images(make(cifar[0][:1].repeat(50, axis=0), PRESETS["raw"]), None, TEN), "the 50 images are the same")


def test_copies_are_noticed(cifar, make):
    pixels = np.concatenate([cifar[0][:80], cifar[0][:20]])
    only(lint_images(make(pixels, CIFAR10), CIFAR10, TEN), "hold 20 exact copies", "80 image(s)")


def test_frames_of_one_scene_are_noticed(cifar, make):
    noise = np.random.default_rng(0).integers(-2, 3, (100, 32, 32, 3))
    frames = np.clip(cifar[0][0].astype(np.int64) + noise, 0, 255).astype(np.uint8)
    only(lint_images(make(frames, PRESETS["raw"]), PRESETS["raw"], TEN), "100 images differ by only", "one scene")


def test_one_class_is_noticed(cifar, make):
    images, labels = cifar
    cats = images[labels == 3][:60]
    only(lint_images(make(cats, CIFAR10, np.full(60, 3)), CIFAR10, TEN), "the 60 images are all of class '3', of 10")


def test_a_set_sorted_by_class_and_cut_is_noticed(cifar, make):
    images, labels = cifar
    first = np.argsort(labels, kind="stable")[:1500]
    only(lint_images(make(images[first], CIFAR10, labels[first]), CIFAR10, TEN), "1500 images are of 2 classes only")


def test_missing_labels_are_no_class(cifar, make):
    assert lint_images(make(cifar[0][:60], CIFAR10, np.full(60, -1)), CIFAR10, TEN) == []


def test_calibration_images_in_the_test_set_are_noticed(cifar, make):
    calibration = image_hashes(make(cifar[0][:256], CIFAR10))
    lines = lint_images(make(cifar[0], CIFAR10, cifar[1]), CIFAR10, TEN, calibration)
    only(lines, "256 of the 10000 images are also among the 256 calibration images")


def test_few_calibration_images_are_noticed():
    assert "8 calibration image(s) for 10 classes" in (few_calibration_images(8, 10) or "")
    assert "give at least 128" in (few_calibration_images(100, 1000) or "")
    assert few_calibration_images(20, 10) is None


def test_a_hash_is_of_the_pixels_and_of_nothing_else(cifar, make):
    two, one = image_hashes(make(cifar[0][:2], CIFAR10)), image_hashes(make(cifar[0][1:2], IMAGENET))
    assert two[1] == one[0] != two[0]
    assert len(one[0]) == 16


@given(n=st.integers(1, 100_000))
def test_a_spread_is_in_order_without_copies_and_reaches_both_ends(n):
    chosen = spread(n)
    assert len(chosen) == min(n, 512)
    assert chosen[0] == 0
    assert chosen[-1] == n - 1
    assert (np.diff(chosen) > 0).all()


# Results, with real networks


@pytest.fixture(scope="module")
def predict(data_dir: Path) -> Callable[..., NDArray[np.int64]]:
    """The predictions of a network of the data folder for float32 images [n, C, H, W]."""
    torch = pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("networks_of_linter", data_dir / "networks.py")
    networks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(networks)

    def predict(factory: str, weights: str, values: NDArray[np.float32]) -> NDArray[np.int64]:
        network = getattr(networks, factory)().eval()
        network.load_state_dict(torch.load(data_dir / "pretrained" / f"{weights}.pt", weights_only=True))
        with torch.no_grad():
            return np.concatenate([network(part).argmax(1).numpy() for part in torch.from_numpy(values).split(64)])

    return predict


def test_channels_in_the_wrong_order_are_noticed_and_in_the_right_one_not(cifar, make, predict, tmp_path):
    images = make(cifar[0], PRESETS["raw"], cifar[1])
    other = swapped(images, tmp_path / "swapped.npy")
    assert np.array_equal(other.labels, cifar[1][spread(10_000)])
    values = PRESETS["raw"].apply(cifar[0][spread(10_000)])
    rgb = predict("resnet8", "mlperf_resnet8_cifar10", values) == other.labels
    bgr = predict("resnet8", "mlperf_resnet8_cifar10", other.values()) == other.labels
    assert swap_gains(rgb, bgr) is None
    only([swap_gains(bgr, rgb) or ""], "with red and blue exchanged", "set channels")


def test_a_gain_that_chance_explains_is_no_finding():
    """The figures of ResNet-20 fed BGR, on 512 images; then fewer images."""
    right, other = np.zeros(512, bool), np.zeros(512, bool)
    right[:16] = other[16:54] = True  # won 38, lost 16
    assert swap_gains(right, other) is not None
    assert swap_gains(right[10:110], other[10:110]) is not None  # 38 and 6
    assert swap_gains(np.arange(100) < 3, np.arange(100) > 92) is None  # 7 and 3
    assert swap_gains(np.ones(9, bool), np.ones(9, bool)) is None


def test_swapped_float_images_exchange_red_and_blue(cifar, make, tmp_path):
    values = PRESETS["unit"].apply(cifar[0][:3])
    assert np.array_equal(swapped(make(values), tmp_path / "swapped.npy").values(), values[:, ::-1])


def test_good_float_results_give_no_line_and_wrong_inputs_do(cifar, predict):
    images, labels = cifar[0][:200], cifar[1][:200]
    good = predict("resnet20", "cifar10_resnet20", IMAGENET.apply(images))
    assert lint_results(good, labels, TEN) == []
    shuffled = np.random.default_rng(0).permutation(labels)
    only(lint_results(good, shuffled, TEN), "not more than chance gives (10 %)")
    raw = predict("resnet20", "cifar10_resnet20", np.moveaxis(images, 3, 1).astype(np.float32))
    only(lint_results(raw, labels, TEN), "of 200 images right (")
    order = np.array([3, 0, 1, 2, 5, 4, 7, 6, 9, 8])
    only(lint_results(good, order[labels], TEN), "with the labels in another order", "--classes")


def test_labels_shifted_by_one_are_noticed_with_few_images_for_each_class():
    labels = np.random.default_rng(0).integers(0, 999, 400)
    right = np.random.default_rng(1).random(400) < 0.7
    predicted = np.where(right, labels + 1, 0)
    only(lint_results(predicted, labels, tuple(map(str, range(1000)))), "labels shifted by +1")


def test_a_constant_prediction_is_noticed():
    only(lint_results(np.full(500, 3), np.arange(500) % 10, TEN), "calls every image '3'")


def test_few_images_or_one_class_right_say_nothing_of_results():
    assert lint_results(np.zeros(15, int), np.arange(15) % 10, TEN) == []
    assert lint_results(np.zeros(50, int), np.zeros(50, int), TEN) == []


def test_labels_without_meaning_seldom_pass_as_another_order():
    """The best of 10! orders fits random labels at the fewest images by 28 % or so, not by half."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        lines = lint_results(rng.integers(0, 10, 100), rng.integers(0, 10, 100), TEN)
        assert not [line for line in lines if "another order" in line]
