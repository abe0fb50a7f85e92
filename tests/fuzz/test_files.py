"""Damaged files: whatever the damage, a user reads an error of EdgeGAP's own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegap.errors import EdgeGapError, ModelError
from edgegap.graph.canonical import canonicalize
from edgegap.graph.load import load_onnx

from .networks import Layer, Network

NETWORK = Network((Layer("conv"), Layer("relu"), Layer("batch_norm"), Layer("average_pool", c=1), Layer("clip"),
                   Layer("add", a=1), Layer("concat"), Layer("shuffle"), Layer("slice"), Layer("pad")), head="gap-linear")  # fmt: skip
WHOLE = NETWORK.model().SerializeToString()
BONES = NETWORK.model()
for _tensor in BONES.graph.initializer:
    if len(_tensor.raw_data) > 64:
        _tensor.ClearField("raw_data")
        _tensor.float_data.extend([0.5] * _tensor.dims[0])
STRUCTURE = BONES.SerializeToString()
"""The same network with most of its weights missing: nearly every byte says something about the graph."""


def taken(data: bytes) -> None:
    """Load and canonicalize: nothing but EdgeGAP's own errors may come out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(data)
        try:
            canonicalize(load_onnx(path), NETWORK.shape)
        except EdgeGapError as error:
            assert error.what
            assert error.where or error.hint


def test_the_file_itself_is_taken() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        onnx.save(NETWORK.model(), path)
        assert list(canonicalize(load_onnx(path), NETWORK.shape).graph)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_truncated_file(length: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        path.write_bytes(WHOLE[:length])
        with pytest.raises(ModelError) as caught:
            canonicalize(load_onnx(path), NETWORK.shape)
        assert caught.value.hint


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6),
    st.sampled_from([WHOLE, STRUCTURE]),
)
def test_flipped_bits(flips: list[tuple[float, int]], data: bytes) -> None:
    damaged = bytearray(data)
    for place, mask in flips:
        damaged[int(place * len(damaged))] ^= mask
    taken(bytes(damaged))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 40), st.binary(max_size=40))
def test_a_piece_that_something_else_overwrote(place: float, length: int, piece: bytes) -> None:
    start = int(place * len(STRUCTURE))
    taken(STRUCTURE[:start] + piece + STRUCTURE[start + length :])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=400))
def test_anything_but_a_network(data: bytes) -> None:
    taken(data)
