"""Per-channel affine maps: folded into the layer in front, else a depthwise convolution."""

from __future__ import annotations

import numpy as np
import pytest

from edgegap.errors import UnsupportedOpError
from edgegap.graph.affine import fold_affine
from edgegap.graph.nodes import attribute

from .models import Array, normal, only, ops, passed, ready

CONV = "Conv<kernel_shape=[3,3]>(x, w, b)"
NORM = "BatchNormalization<epsilon=0.01>({}, gamma, beta, mean, var)"


def constants(outputs: int = 5) -> dict[str, Array]:
    return {
        "w": normal(outputs, 4, 3, 3),
        "b": normal(outputs, seed=1),
        "c": 1 + normal(outputs, 1, 1, seed=2) ** 2,
        "one": np.float32(1.5),
    } | norm_constants(outputs)


def norm_constants(channels: int) -> dict[str, Array]:
    gamma, beta, mean, var = normal(4, channels, seed=3)
    return {"gamma": gamma, "beta": beta, "mean": mean, "var": var**2}


MAPS = [
    NORM.format("a"), "Mul(a, c)", "Mul(c, a)", "Div(a, c)", "Add(a, c)", "Add(c, a)", "Sub(a, c)", "Sub(c, a)",
    "Mul(a, one)", "Sub(one, a)",
]  # fmt: skip


@pytest.mark.parametrize("affine", MAPS)
def test_it_is_folded_into_the_conv_in_front(affine: str) -> None:
    assert ops(passed(fold_affine, ready(f"a = {CONV} d = {affine} y = Relu(d)", **constants()))) == ["Conv", "Relu"]


@pytest.mark.parametrize("affine", MAPS)
def test_it_is_folded_as_the_graphs_output(affine: str) -> None:
    assert ops(passed(fold_affine, ready(f"a = {CONV} y = {affine}", **constants()))) == ["Conv"]


@pytest.mark.parametrize("affine", MAPS)
def test_it_is_a_depthwise_conv_elsewhere(affine: str) -> None:
    model = passed(fold_affine, ready(f"a = Relu(x) y = {affine}", **constants(4)))
    assert ops(model) == ["Relu", "Conv"]
    assert attribute(only(model, "Conv"), "group") == 4


@pytest.mark.parametrize("affine", ["Mul(x, c)", "Sub(one, x)", NORM.format("x")])
def test_it_is_a_depthwise_conv_behind_the_input(affine: str) -> None:
    assert ops(passed(fold_affine, ready(f"y = {affine}", **constants(4)))) == ["Conv"]


@pytest.mark.parametrize("affine", ["Mul(a, c)", "Add(one, a)", NORM.format("a")])
def test_it_is_folded_into_the_gemm_in_front(affine: str) -> None:
    body = f"a = Gemm<transB=1>(x, w, b) y = {affine}"
    more = {"w": normal(5, 4), "b": normal(5), "c": normal(5, seed=2), "one": np.float32(1.5)} | norm_constants(5)
    assert ops(passed(fold_affine, ready(body, x="float[2,4]", **more))) == ["Gemm"]


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("affine", ["Mul(r, c)", "Sub(c, r)", NORM.format("r")])
def test_it_is_folded_into_the_conv_behind_that_does_not_pad(affine: str, group: int) -> None:
    body = f"r = Relu(x) d = {affine} y = Conv<kernel_shape=[3,3], group={group}, strides=[2,2]>(d, v, e)"
    more = constants(4) | {"v": normal(8, 4 // group, 3, 3), "e": normal(8)}
    assert ops(passed(fold_affine, ready(body, **more))) == ["Relu", "Conv"]


def test_it_is_folded_into_the_gemm_behind() -> None:
    body = f"r = Relu(x) d = {NORM.format('r')} y = Gemm<transB=1>(d, v, e)"
    more = norm_constants(4) | {"v": normal(5, 4), "e": normal(5)}
    assert ops(passed(fold_affine, ready(body, x="float[2,4]", **more))) == ["Relu", "Gemm"]


def test_it_is_folded_into_every_gemm_behind() -> None:
    body = f"r = Relu(x) d = {NORM.format('r')} f = Gemm<transB=1>(d, v, e) g = Gemm<transB=1>(d, w, e) y = Add(f, g)"
    more = norm_constants(4) | {"v": normal(5, 4), "w": normal(5, 4, seed=1), "e": normal(5)}
    assert ops(passed(fold_affine, ready(body, x="float[2,4]", **more))) == ["Relu", "Gemm", "Gemm", "Add"]


def test_in_front_of_a_conv_that_pads_it_is_one_itself() -> None:
    """Padding is 0 behind the map, which shifts it."""
    body = "r = Relu(x) d = Add(r, c) y = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(d, w, b)"
    assert ops(passed(fold_affine, ready(body, **constants(5) | {"c": normal(4, 1, 1)}))) == ["Relu", "Conv", "Conv"]


def test_a_value_that_others_read_is_not_folded_into_the_conv_behind() -> None:
    body = (
        f"r = Relu(x) d = Mul(r, c) e = {CONV.replace('(x', '(d')} f = Relu(d) g = GlobalAveragePool(f) y = Add(g, e)"
    )
    more = constants(4) | {"c": normal(4, 1, 1)}
    assert ops(passed(fold_affine, ready(body, **more))) == ["Relu", "Conv", "Conv", "Relu", "GlobalAveragePool", "Add"]


def test_a_chain_of_them_is_folded() -> None:
    body = f"a = {CONV} d = {NORM.format('a')} e = Mul(d, c) f = Add(e, one) y = Div(f, c)"
    assert ops(passed(fold_affine, ready(body, **constants()))) == ["Conv"]


def test_it_is_folded_into_a_grouped_conv() -> None:
    body = "a = Conv<kernel_shape=[3,3], group=2>(x, v, b) y = Mul(a, c)"
    more = constants(6) | {"v": normal(6, 2, 3, 3)}
    assert ops(passed(fold_affine, ready(body, **more))) == ["Conv"]


def test_a_conv_that_others_read_keeps_its_values() -> None:
    body = f"a = {CONV} d = {NORM.format('a')} e = Relu(a) y = Add(d, e)"
    assert ops(passed(fold_affine, ready(body, **constants()))) == ["Conv", "Conv", "Relu", "Add"]


def test_a_weight_that_two_convs_share_is_changed_for_one_only() -> None:
    body = f"a = {CONV} d = {NORM.format('a')} e = {CONV} y = Add(d, e)"
    assert ops(passed(fold_affine, ready(body, **constants()))) == ["Conv", "Conv", "Add"]


@pytest.mark.parametrize(
    "node",
    ["Mul(a, full)", "Div(c, a)", "Add(a, rows)", "Mul(a, a)", "Mul(grown, a)"],
    ids=["along other axes", "a reciprocal", "per row", "itself", "broadcast to more images"],
)
def test_what_is_no_affine_map_stays(node: str) -> None:
    more = {"full": normal(1, 5, 4, 4), "rows": normal(4, 1), "grown": normal(3, 5, 1, 1)}
    model = ready(f"a = {CONV} y = {node}", x="float[1,4,6,6]", **constants(), **more)
    passed(fold_affine, model, changes=False)


def test_a_map_of_one_channel_to_many_stays() -> None:
    passed(fold_affine, ready("y = Mul(x, c)", x="float[2,1,6,6]", c=normal(4, 1, 1)), changes=False)


def test_a_map_on_rows_behind_no_gemm_stays() -> None:
    passed(fold_affine, ready("a = Relu(x) y = Mul(a, c)", x="float[2,4]", c=normal(4)), changes=False)


def test_a_batch_norm_in_training_mode_is_refused() -> None:
    body = "y, m, v = BatchNormalization<training_mode=1>(x, gamma, beta, mean, var)"
    with pytest.raises(UnsupportedOpError, match="training") as caught:
        fold_affine(ready(body, **norm_constants(4)))
    assert "eval()" in str(caught.value.hint)


def test_a_batch_norm_of_parameters_computed_at_run_time_is_refused() -> None:
    body = "g = Relu(gamma) y = BatchNormalization(x, g, beta, mean, var)"
    with pytest.raises(UnsupportedOpError, match="scale is computed at run time"):
        fold_affine(ready(body, **norm_constants(4)))
