"""What kind of head a canonical network ends in."""

from __future__ import annotations

import pytest

from edgegap.graph.canonical import canonicalize
from edgegap.graph.head import head_of

from .models import ints, normal, parsed

CONSTANTS = {
    "w": normal(5, 4, 1, 1), "k": normal(10, 5, 1, 1), "fc": normal(5, 10), "c": normal(10), "big": normal(180, 10),
    "g": normal(5) ** 2, "hw": ints(2, 3), "h": ints(2), "last": ints(-1), "minus": ints(-1, -2), "rows": ints(0, -1),
    "positions": ints(0, 5, -1),
}  # fmt: skip

AVERAGES = [
    "p = GlobalAveragePool(m) f = Flatten(p)",
    "p = GlobalAveragePool(m) f = Reshape(p, rows)",
    "p = GlobalAveragePool(m) f = Squeeze(p, hw)",
    "p = GlobalAveragePool(m) q = Squeeze(p, last) f = Squeeze(q, last)",
    "f = ReduceMean<keepdims=0>(m, hw)",
    "f = ReduceMean<keepdims=0>(m, minus)",
    "p = ReduceMean<keepdims=1>(m, hw) f = Flatten(p)",
    "p = AveragePool<kernel_shape=[6,6]>(m) f = Reshape(p, rows)",
    "p = ReduceMean<keepdims=0>(m, last) f = ReduceMean<keepdims=0>(p, last)",
    "p = ReduceMean<keepdims=1>(m, h) q = ReduceMean<keepdims=1>(p, last) f = Flatten(q)",
    "p = Reshape(m, positions) f = ReduceMean<keepdims=0>(p, last)",
]

MAPS = {
    "bare": "m = Conv(x, w)",
    "relu": "a = Conv(x, w) m = Relu(a)",
    "norm": "a = Conv(x, w) b = BatchNormalization(a, g, g, g, g) m = Relu(b)",
    "dropout": "a = Conv(x, w) b = Relu(a) m = Dropout(b)",
}


def head(body: str) -> str:
    return head_of(canonicalize(parsed(body, **CONSTANTS), (2, 4, 6, 6)))


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("maps", MAPS)
def test_averaged_class_maps_are_a_gap_head(average: str, maps: str) -> None:
    assert head(f"{MAPS[maps]} {average.replace('f =', 'y =')}") == "gap"


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("maps", ["bare", "relu"])
@pytest.mark.parametrize(
    "linear",
    ["y = Gemm(f, fc, c)", "z = MatMul(f, fc) y = Add(z, c)", "y = MatMul(f, fc)", "d = Dropout(f) y = Gemm(d, fc)"],
)
def test_one_linear_layer_behind_the_average_is_a_gap_linear_head(average: str, maps: str, linear: str) -> None:
    assert head(f"{MAPS[maps]} {average} {linear}") == "gap-linear"


@pytest.mark.parametrize(
    "end", ["y = Conv(p, k)", "z = Conv(p, k) y = Flatten(z)", "z = Conv(p, k) y = Squeeze(z, hw)"]
)
def test_a_convolution_of_one_position_behind_the_average_is_a_gap_linear_head(end: str) -> None:
    assert head(f"{MAPS['relu']} p = GlobalAveragePool(m) {end}") == "gap-linear"


def test_maps_of_any_kind_may_stand_in_front_of_a_gap_linear_head() -> None:
    assert head("a = Conv(x, w) b = Conv(x, w) m = Add(a, b) f = ReduceMean<keepdims=0>(m, hw) y = Gemm(f, fc, c)") == (
        "gap-linear"
    )


@pytest.mark.parametrize(
    "end",
    [
        "f = Flatten(m) y = Gemm(f, big)",
        "f = Reshape(m, rows) z = MatMul(f, big) y = Add(z, c)",
        "p = GlobalAveragePool(m) f = Flatten(p) g1 = Gemm<transB=1>(f, square) r = Relu(g1) y = Gemm(r, fc)",
    ],
    ids=["of all positions", "of all positions, as MatMul", "two of them behind the average"],
)
def test_any_other_fully_connected_layer_is_an_fc_head(end: str) -> None:
    model = parsed(f"{MAPS['relu']} {end}", **CONSTANTS, square=normal(5, 5, seed=7))
    assert head_of(canonicalize(model, (2, 4, 6, 6))) == "fc"


@pytest.mark.parametrize(
    "end",
    [
        "y = Flatten(m)",
        "y = Conv(m, k)",
        "p = MaxPool<kernel_shape=[6,6]>(m) y = Flatten(p)",
        "p = MaxPool<kernel_shape=[6,6]>(m) y = Conv(p, k)",
        "p = AveragePool<kernel_shape=[3,3], strides=[3,3]>(m) y = Flatten(p)",
        "b = Add(m, m) p = GlobalAveragePool(b) y = Flatten(p)",
        "p = GlobalAveragePool(m) f = Flatten(p) z = Gemm(f, fc) y = Relu(z)",
    ],
)
def test_anything_else_is_no_head(end: str) -> None:
    assert head(f"{MAPS['relu']} {end}") == "none"
