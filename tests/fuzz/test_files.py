"""Damaged files: whatever the damage, a user reads an error of EdgeGAP's own."""

from __future__ import annotations

import contextlib
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

KINDS = ("relu", "batch_norm", "average_pool", "clip", "add", "concat", "shuffle", "slice", "pad", "max_pool")
NETWORK = Network(
    (Layer("conv", a=5, b=1), *(Layer(kind, a=1, c=1) for kind in KINDS)), head="gap-linear", channels=1, seed=4
)
WHOLE = NETWORK.model().SerializeToString()
"""Few weights: nearly every byte says something about the graph."""


def taken(data: bytes) -> None:
    """Load and canonicalize: nothing but EdgeGAP's own errors may come out."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(EdgeGapError):
        path = Path(folder) / "network.onnx"
        path.write_bytes(data)
        canonicalize(load_onnx(path), NETWORK.shape)


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
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bits(flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(WHOLE)
    for place, mask in flips:
        damaged[place] ^= mask
    taken(bytes(damaged))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 40), st.binary(max_size=40))
def test_a_piece_that_something_else_overwrote(start: int, length: int, piece: bytes) -> None:
    taken(WHOLE[:start] + piece + WHOLE[start + length :])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=400))
def test_anything_but_a_network(data: bytes) -> None:
    taken(data)
