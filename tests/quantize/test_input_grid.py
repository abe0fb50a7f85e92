"""The input's grid: every order of evaluation, and both runtimes, turn a pixel into the same integer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tflite.nets import Net
from tflite.runtimes import run_onnx, run_tflite, signed, written

from edgegap.quantize.input_grid import pixel_grid, pixel_integers
from edgegap.quantize.parameters import Grid, affine_grid
from edgegap.quantize.ties import MARGIN, distance_to_tie

COUNT = 300


def tables(count: int = COUNT) -> list[NDArray[np.float32]]:
    """Pixel tables of random means and standard deviations, given to two decimals, as people do."""
    rng = np.random.default_rng(7)
    pixels, found = np.arange(256, dtype=np.float32) / np.float32(255), []
    for k in range(count):
        channels = (1, 3)[k % 2]
        mean, std = (
            rng.uniform(*span, (channels, 1)).round(2).astype(np.float32) for span in ((0.3, 0.6), (0.15, 0.35))
        )
        found.append((pixels - mean) / std)
    return found


def by_division(table: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    return np.clip(np.rint(table / np.float32(grid.scale)) + grid.zero_point, 0, 255)


def by_reciprocal(table: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    return np.clip(np.rint(table * (np.float32(1) / np.float32(grid.scale))) + grid.zero_point, 0, 255)


def test_every_order_of_evaluation_gives_the_same_integer() -> None:
    for table in tables():
        grid = pixel_grid(table)
        assert distance_to_tie(table, grid) >= MARGIN
        np.testing.assert_array_equal(by_division(table, grid), pixel_integers(table, grid))
        np.testing.assert_array_equal(by_reciprocal(table, grid), pixel_integers(table, grid))


def in_both_runtimes(table: NDArray[np.float32], grid: Grid) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """What ONNX Runtime and LiteRT make of every pixel, signed."""
    net = Net()
    x = net.input("x", (1, len(table), 16, 16))
    parameters = [net.constant(grid.scale, np.float32), net.constant(grid.zero_point, np.uint8)]
    model = net.model(net.op("QuantizeLinear", [x, *parameters]), dtype=2)
    feeds = {"x": table.reshape(1, len(table), 16, 16)}
    return signed(run_onnx(model, feeds)[0]), run_tflite(written(model), feeds)[0]


def test_both_runtimes_give_the_integers_of_the_table() -> None:
    for table in tables():
        grid = pixel_grid(table)
        expected = signed(pixel_integers(table, grid).reshape(1, -1, 16, 16).transpose(0, 2, 3, 1))
        for found in in_both_runtimes(table, grid):
            np.testing.assert_array_equal(found, expected)


def test_without_the_nudge_they_part() -> None:
    plain = [(table, affine_grid(float(table.min()), float(table.max()))) for table in tables()]
    parted = [pair for pair in plain if (by_division(*pair) != by_reciprocal(*pair)).any()]
    assert len(parted) > 5
    assert sum(not np.array_equal(*in_both_runtimes(*pair)) for pair in parted) > 5


def test_the_nudge_costs_next_to_nothing() -> None:
    for table in tables():
        wanted = affine_grid(float(table.min()), float(table.max())).scale
        assert 1 <= pixel_grid(table).scale / wanted < 1.005


@pytest.mark.parametrize("table", [np.zeros((1, 256), np.float32), np.full((3, 256), 0.5, np.float32)])
def test_a_table_of_one_value_has_a_grid(table: NDArray[np.float32]) -> None:
    assert pixel_grid(table).scale > 0


def test_a_value_on_a_tie_is_seen() -> None:
    assert distance_to_tie(np.float32([[0.0, 1.5]]), Grid(1.0, 0)) == 0
    assert distance_to_tie(np.float32([[0.0, 1.25]]), Grid(1.0, 0)) == 0.25
