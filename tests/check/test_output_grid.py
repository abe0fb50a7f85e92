"""The integers behind an output, whatever type a file gives it in."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegap.check.predict import OutputGrid

SIGNED = np.arange(-128, 128)


@settings(derandomize=True, database=None, deadline=None)
@given(st.floats(2**-40, 2**40, width=32), st.integers(-128, 127))
def test_a_dequantized_output_gives_back_its_integer(scale: float, zero_point: int) -> None:
    outputs = (SIGNED - zero_point).astype(np.float32) * np.float32(scale)
    assert np.array_equal(OutputGrid(scale, zero_point).integers(outputs), SIGNED)


def test_uint8_and_int8_outputs_are_the_same_grid() -> None:
    grid = OutputGrid(0.5, 3)
    assert np.array_equal(grid.integers(SIGNED.astype(np.int8)), SIGNED)
    assert np.array_equal(grid.integers((SIGNED + 128).astype(np.uint8)), SIGNED)


def test_integers_stand_for_what_they_were_read_from() -> None:
    outputs = (np.arange(-128, 128)[None] - 7) * 0.125
    for grid in (OutputGrid(0.125, 7), OutputGrid(0.125, None)):
        assert np.array_equal(grid.real(grid.integers(outputs.astype(np.float32))), outputs)
