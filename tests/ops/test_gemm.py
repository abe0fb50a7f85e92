"""Gemm, and MatMul with an Add. Bound: 0."""

from __future__ import annotations

import onnx_ir as ir
import pytest
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError
from edgegap.graph.canonical import canonicalize

from .harness import Net, check
from .seeded import few


def features(net: Net) -> tuple[str, int]:
    """The image flattened: [N, C * H * W]."""
    return net.op("Flatten", [net.x]), int(net.shape[1] * net.shape[2] * net.shape[3])


@few(
    st.booleans(),
    st.sampled_from([1.0, 0.5, -2.0]),
    st.sampled_from([1.0, 3.0, 0.0]),
    st.sampled_from(["none", "vector", "scalar", "row"]),
    st.integers(17, 20),
)
def test_gemm_of_any_spelling_is_exact(transposed: bool, alpha: float, beta: float, bias: str, opset: int) -> None:
    net = Net((2, 3, 4, 5))
    x, columns = features(net)
    weight = net.normal(7, columns) if transposed else net.normal(columns, 7)
    shapes = {"none": [], "vector": [(7,)], "scalar": [(1,)], "row": [(1, 7)]}
    inputs = [x, net.constant(weight), *(net.constant(net.normal(*shape)) for shape in shapes[bias])]
    y = net.op("Gemm", inputs, transB=int(transposed), alpha=alpha, beta=beta)
    checked = check(net, y, opset=opset)
    assert checked.ops() == ["Flatten", "Gemm"]


@pytest.mark.parametrize("shape", [None, (6,), (1,), (1, 6), ()])
@pytest.mark.parametrize("constant_first", [False, True])
def test_matmul_and_add_are_one_gemm(shape: tuple[int, ...] | None, constant_first: bool) -> None:
    net = Net((2, 3, 4, 5))
    x, columns = features(net)
    y = net.op("MatMul", [x, net.constant(net.normal(columns, 6))])
    if shape is not None:
        bias = net.constant(net.rng.normal(size=shape).astype("float32"))
        y = net.op("Add", [bias, y] if constant_first else [y, bias])
    assert check(net, y).ops() == ["Flatten", "Gemm"]


def test_an_add_of_another_tensor_behind_matmul_is_no_bias() -> None:
    net = Net((2, 3, 4, 5))
    x, columns = features(net)
    a, b = (net.op("MatMul", [x, net.constant(net.normal(columns, 6))]) for _ in range(2))
    assert check(net, net.op("Add", [a, b])).ops() == ["Flatten", "Gemm", "Gemm", "Add"]


def test_two_layers_with_a_relu_are_exact() -> None:
    net = Net((2, 3, 4, 5))
    x, columns = features(net)
    x = net.op("Relu", [net.gemm(x, 16, columns)])
    check(net, net.gemm(x, 5, 16), lsb=5)


def test_a_transposed_input_is_refused_with_a_way_out() -> None:
    net = Net((2, 3, 1, 1))
    y = net.op("Gemm", [net.op("Flatten", [net.x]), net.constant(net.normal(2, 4))], transA=1)
    with pytest.raises(UnsupportedOpError, match="transA=1") as caught:
        canonicalize(ir.from_proto(net.in_opset(y, 18)), net.shape)
    assert caught.value.hint
