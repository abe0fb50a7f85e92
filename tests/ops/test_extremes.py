"""Max and Min of several maps, and Abs. Bound: 0."""

from __future__ import annotations

import onnx_ir as ir
import pytest
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError
from edgegap.graph.canonical import canonicalize

from .harness import Net, check
from .seeded import few
from .test_split import split


@few(st.sampled_from(["Max", "Min"]), st.integers(2, 3), st.integers(1, 12), st.integers(0, 99))
def test_of_maps_it_is_exact(op_type: str, count: int, channels: int, seed: int) -> None:
    net = Net((2, 3, 9, 8), seed=seed)
    maps = [net.signed_map(channels) for _ in range(count)]
    check(net, net.op(op_type, maps), of=maps)


@pytest.mark.parametrize("op_type", ["Max", "Min"])
def test_of_rows_it_is_exact(op_type: str) -> None:
    net = Net((8, 3, 6, 7))
    rows = [net.op("Flatten", [net.op("GlobalAveragePool", [net.signed_map(12)])]) for _ in range(2)]
    check(net, net.gemm(net.op(op_type, rows), 5, 12), of=rows)


def test_the_larger_half_of_the_channels_needs_no_transpose() -> None:
    """The max-feature-map of LightCNN (Wu et al., 2018, arXiv:1511.02683)."""
    net = Net()
    y = net.op("Max", split(net, net.signed_map(8), 2, axis=1, num_outputs=2))
    checked = check(net, net.conv(y, (5, 4, 3, 3)))
    assert "Transpose" not in checked.ops()
    assert checked.arithmetic().count("MaxPool") == 1


def test_abs_is_exact() -> None:
    net = Net()
    x = net.signed_map(6)
    check(net, net.op("Abs", [x]), of=[x])


def test_of_values_that_broadcast_it_is_refused() -> None:
    net = Net()
    x = net.signed_map(6)
    y = net.op("Max", [x, net.op("GlobalAveragePool", [x])])
    with pytest.raises(UnsupportedOpError, match="Max has no exact int8 form"):
        canonicalize(ir.from_proto(net.in_opset(y, 18)), net.shape)
