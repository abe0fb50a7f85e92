"""Noise per layer: its figures, its order, and what is said to cause it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from ops.harness import Net

from edgegap.check import taps
from edgegap.check.alone import Layer
from edgegap.check.causes import Cause, Evidence, find_cause
from edgegap.check.layers import MOST_DB, LayerRow, Layers, Similarity, compare_layers
from edgegap.errors import DataError
from edgegap.progress import silent
from edgegap.quantize.parameters import Grid

from .gap_nets import Twins, save_twins


def two_convs(seed: int = 0) -> tuple[Net, str]:
    """x -> conv -> relu 'first' -> conv -> relu 'second' -> class maps -> GAP."""
    net = Net((1, 3, 9, 8), seed=seed)
    first = net.op("Relu", [net.conv(net.x, (6, 3, 3, 3), pads=[1, 1, 1, 1])], "first")
    second = net.op("Relu", [net.conv(first, (8, 6, 3, 3), pads=[1, 1, 1, 1])], "second")
    maps = net.conv(second, (4, 8, 1, 1))
    return net, net.op("Flatten", [net.op("GlobalAveragePool", [maps], "average")], "y")


def measure(twins: Twins) -> Layers:
    return compare_layers(twins.network, twins.artifact, twins.images, twins.input_grid, silent)


def rows_of(twins: Twins) -> dict[str, LayerRow]:
    return {row.name: row for row in measure(twins).rows}


def narrow(artifact: Path, activation: str, reader: str, factor: int) -> None:
    """Let the grid of an activation reach only 1/factor as far; the bias of the layer that reads it keeps its value."""
    model = onnx.load(artifact)
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if tensor.name in (f"{activation}_scale", f"{reader}_bias_scale"):
            tensor.CopyFrom(numpy_helper.from_array((array / factor).astype(np.float32), tensor.name))
        if tensor.name == f"{reader}_bias_quantized":
            tensor.CopyFrom(numpy_helper.from_array((array * factor).astype(np.int32), tensor.name))
    onnx.save(model, artifact)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Read-only."""
    return save_twins(*two_convs(), tmp_path_factory.mktemp("twins"))


@pytest.fixture(scope="module")
def measured(twins: Twins) -> Layers:
    return measure(twins)


@pytest.fixture(scope="module")
def rows(measured: Layers) -> dict[str, LayerRow]:
    return {row.name: row for row in measured.rows}


def test_sqnr_and_cosine_are_those_of_the_formulae() -> None:
    seen = Similarity()
    seen.update(np.array([3.0]), np.array([3.0]))
    seen.update(np.array([4.0]), np.array([3.0]))
    assert seen.sqnr_db == pytest.approx(10 * np.log10(25))
    assert seen.cosine == pytest.approx(21 / (5 * np.sqrt(18)))


def test_no_noise_and_nothing_but_noise_have_finite_figures() -> None:
    same, lost, dead = Similarity(), Similarity(), Similarity()
    same.update(np.ones(3), np.ones(3))
    lost.update(np.zeros(3), np.ones(3))
    dead.update(np.zeros(3), np.zeros(3))
    assert (same.sqnr_db, same.cosine) == (MOST_DB, 1)
    assert (lost.sqnr_db, lost.cosine) == (-MOST_DB, 0)
    assert (dead.sqnr_db, dead.cosine) == (MOST_DB, 1)


def test_every_quantized_layer_has_a_row_and_the_worst_is_first(measured: Layers) -> None:
    ops = {row.name: row.op for row in measured.rows}
    assert ops.pop("x") == "QuantizeLinear"
    assert ops.pop("average") == "GlobalAveragePool"
    assert {"first", "second"} <= set(ops)
    assert set(ops.values()) == {"Conv"}
    assert measured.n == 12
    figures = [row.sqnr_db for row in measured.rows]
    assert figures == sorted(figures)


def test_a_sound_layer_alone_loses_what_its_grid_and_weights_lose(rows: dict[str, LayerRow]) -> None:
    assert all(row.local_sqnr_db > 30 and row.local_cosine > 0.999 for row in rows.values())
    # The first layer reads the same integers both ways.
    assert rows["first"].local_sqnr_db == pytest.approx(rows["first"].sqnr_db, abs=0.05)
    # Noise adds up on the way.
    assert rows["second"].sqnr_db < rows["second"].local_sqnr_db


def test_local_noise_is_that_of_rounding_computed_by_hand(twins: Twins, rows: dict[str, LayerRow]) -> None:
    model = onnx.load(twins.artifact)
    scale = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}["x_scale"]
    zero = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}["x_zero_point"]
    x = twins.float_values().astype(np.float64)
    rounded = Grid(float(scale), int(zero))
    noise = ((rounded.dequantize(rounded.quantize(x)) - x) ** 2).sum()
    assert rows["x"].local_sqnr_db == pytest.approx(10 * np.log10((x**2).sum() / noise), abs=0.01)


def test_a_clipped_layer_is_named_as_the_cause_where_it_is_and_nowhere_before(
    tmp_path: Path, rows: dict[str, LayerRow]
) -> None:
    before, twins = rows, save_twins(*two_convs(), tmp_path)
    (reader,) = [n.output[0] for n in onnx.load(twins.network).graph.node if list(n.input)[:1] == ["first"]]
    narrow(twins.artifact, "first", reader, 8)
    after = rows_of(twins)
    assert set(sorted(after, key=lambda name: after[name].local_sqnr_db)[:2]) == {"first", "second"}
    assert "% of the values are clipped" in str(after["first"].cause)
    assert "minmax" in str(after["first"].remedy)
    assert after["first"].sqnr_db < before["first"].sqnr_db - 10
    # Alone, the layer that reads it suffers too, and says from whom; the others are as good as ever.
    assert after["second"].cause == "it reads 'first', which is clipped"
    assert after["x"] == before["x"]
    assert after["average"].local_sqnr_db == pytest.approx(before["average"].local_sqnr_db, abs=0.1)
    assert "layers before" in str(after["average"].cause)


def test_a_last_layer_that_clips_is_worst_of_all(tmp_path: Path) -> None:
    net = Net((1, 3, 9, 8), seed=2)
    net.op("Flatten", [net.op("GlobalAveragePool", [net.signed_map(4)], "average")], "y")
    twins = save_twins(net, "y", tmp_path)
    narrow(twins.artifact, "average", "none", 6)
    # The Flatten keeps the grid: its dequantizer states the same scale.
    narrow(twins.artifact, "y", "none", 6)
    worst = measure(twins).rows[0]
    assert worst.name == "average"
    assert "clipped" in str(worst.cause)


def test_values_that_only_the_artifact_has_are_left_out_and_still_computed(tmp_path: Path) -> None:
    net = Net((1, 3, 8, 8), seed=3)
    both = net.op("Concat", [net.op("Relu", [net.signed_map(4)]), net.signed_map(5)], axis=1)
    maps = net.conv(net.op("MaxPool", [both], kernel_shape=[2, 2], strides=[2, 2]), (4, 9, 1, 1))
    net.op("Flatten", [net.op("GlobalAveragePool", [maps])], "y")
    twins = save_twins(net, "y", tmp_path)
    rows = rows_of(twins)
    known = {name for node in onnx.load(twins.network).graph.node for name in node.output} | {"x"}
    assert set(rows) <= known
    quantizers = [n for n in onnx.load(twins.artifact).graph.node if n.op_type == "QuantizeLinear"]
    assert len(rows) < len(quantizers), "the network has no requantized copy, so that the test says nothing"
    assert all(row.local_sqnr_db > 25 for row in rows.values())


def test_an_artifact_of_integers_has_the_same_rows_but_for_its_input(tmp_path: Path, rows: dict[str, LayerRow]) -> None:
    integers = rows_of(save_twins(*two_convs(), tmp_path, io="int8"))
    assert integers == {name: row for name, row in rows.items() if name != "x"}


def test_memory_is_bounded_by_looking_at_a_few_images_at_a_time(
    twins: Twins, rows: dict[str, LayerRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows
    monkeypatch.setattr(taps, "_MEMORY", 5000)
    for name, row in rows_of(twins).items():
        assert row.sqnr_db == pytest.approx(whole[name].sqnr_db, abs=1e-3)
        assert row.local_cosine == pytest.approx(whole[name].local_cosine, abs=1e-6)


def test_a_subset_spreads_over_a_set_in_the_order_of_its_classes(twins: Twins, tmp_path: Path) -> None:
    some = taps.subset(twins.images, 4, tmp_path / "some.npy")
    assert some.names == ("image 0", "image 4", "image 7", "image 11")
    np.testing.assert_array_equal(some.values(), twins.float_values()[[0, 4, 7, 11]])
    assert taps.subset(twins.images, 99, tmp_path / "none.npy") is twins.images


def test_nan_in_the_float_network_is_refused(twins: Twins, tmp_path: Path) -> None:
    values = twins.float_values()
    values[3, 0, 0, 0] = np.nan
    np.save(tmp_path / "values.npy", values)
    images = replace(twins.images, path=tmp_path / "values.npy", table=None)
    with pytest.raises(DataError, match="NaN or infinite"):
        measure(replace(twins, images=images))


def cause_of(x: NDArray[np.float64], alone: NDArray[np.float64], grid: Grid, **known: Any) -> Cause | None:
    layer = Layer("x", "x_quantized", None, grid)
    evidence = Evidence(layer, answers=known.pop("answers", False))
    evidence.op = known.pop("op", "Conv")
    evidence.update(x, alone, grid.quantize(alone))
    similar = Similarity()
    similar.update(x, alone)
    return find_cause(evidence, known.pop("accumulated", similar.sqnr_db), similar.sqnr_db)


def rounded(x: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    return grid.dequantize(grid.quantize(x))


@pytest.fixture
def noise() -> NDArray[np.float64]:
    """[4, 8, 16, 16], of spread 1."""
    return np.random.default_rng(0).normal(size=(4, 8, 16, 16))


def test_a_sound_layer_has_no_cause(noise: NDArray[np.float64]) -> None:
    grid = Grid(9 / 255, 128)
    assert cause_of(noise, rounded(noise, grid), grid) is None


def test_outliers_are_named_and_mse_where_it_would_clip_them(noise: NDArray[np.float64]) -> None:
    noise[0, 0, 0, 0] = 60
    grid = Grid(120 / 255, 128)
    found = cause_of(noise, rounded(noise, grid), grid)
    assert found is not None
    assert found.what.startswith("outliers set the range")
    assert found.remedy == 'ranges.method = "mse"'


def test_outliers_that_are_worth_their_range_have_no_remedy(noise: NDArray[np.float64]) -> None:
    noise[:, :, 0, 0] = 60
    grid = Grid(64 / 255, 17)
    found = cause_of(noise, rounded(noise, grid), grid)
    assert found is not None
    assert "clipping more would cost more" in found.what
    assert found.remedy is None


def test_a_range_that_calibration_saw_elsewhere_asks_for_other_images(noise: NDArray[np.float64]) -> None:
    grid = Grid(0.5, 128)
    found = cause_of(noise, rounded(noise, grid), grid)
    assert found is not None
    assert found.remedy == "calibrate on images like these (--calib)"


def test_a_constant_error_per_channel_asks_for_bias_correction(noise: NDArray[np.float64]) -> None:
    grid = Grid(9 / 255, 128)
    shift = np.linspace(-0.2, 0.2, 8)[:, None, None]
    found = cause_of(noise, rounded(noise + shift, grid), grid)
    assert found is not None
    assert found.remedy == "weights.bias_correction = true"


def test_tiny_channels_are_counted(noise: NDArray[np.float64]) -> None:
    noise[:, :3] *= 0.02
    noise[:, 7] = 0
    grid = Grid(8.5 / 255, 128)
    found = cause_of(noise, rounded(noise, grid), grid)
    assert found == Cause("3 of 7 channels stay within 8 of the grid's 255 steps", None)


def test_an_average_on_the_grid_of_its_input_is_named(noise: NDArray[np.float64]) -> None:
    average = noise.mean(axis=(2, 3), keepdims=True) + 0.05
    grid = Grid(9 / 255, 128)
    found = cause_of(average, rounded(average, grid), grid, op="GlobalAveragePool")
    assert found is not None
    assert found.what.startswith("averaging shrinks the range")


def test_ties_of_the_answer_are_counted() -> None:
    logits = np.array([[1.0, 1.02, 0], [0, 1, 2]])
    grid = Grid(0.1, 0)
    found = cause_of(logits, rounded(logits, grid), grid, answers=True)
    assert found == Cause("coarse logits: in 1 of 2 images two classes share the largest integer", None)


def test_a_layer_that_is_clean_alone_points_at_those_before(noise: NDArray[np.float64]) -> None:
    grid = Grid(9 / 255, 128)
    found = cause_of(noise, rounded(noise, grid), grid, accumulated=20.0)
    assert found == Cause("noise from the layers before: alone it has 40 dB", None)
