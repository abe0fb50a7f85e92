"""Sigmoid, Tanh, Elu and their like: functions of one value. Bound: 0, for every integer that can come in.

None is much steeper than 1, so that a step of what comes in (`of`) moves the result by no more than that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import strategies as st

from edgegap.errors import UnsupportedOpError
from edgegap.graph.spellings import tanh_gelu
from edgegap.quantize.functions import FUNCTIONS, tie_distance
from edgegap.quantize.lower import CLIPPING
from edgegap.quantize.parameters import Grid
from edgegap.quantize.ties import MARGIN
from edgegap.quantize.verify import grid_of

from .harness import COMPOSED_IN_FLOAT, Net, check
from .seeded import few

IN_FLOAT = {"Sigmoid": (), "Tanh": ("Tanh",), "Elu": ("Elu",), "Gelu": ("Gelu",), **COMPOSED_IN_FLOAT}
OUTSIDE = {op: ("GELU",) if op == "Gelu" else () for op in FUNCTIONS}

ops = pytest.mark.parametrize("op", FUNCTIONS)


@ops
@few(st.integers(0, 99))
def test_behind_a_conv_it_is_exact(op: str, seed: int) -> None:
    net = Net((4, 3, 16, 16), seed=seed)
    x = net.conv(net.x, (5, 3, 3, 3))
    check(net, net.op(op, [x]), of=[x], in_float=IN_FLOAT[op], outside=OUTSIDE[op], opset=20)


@ops
def test_no_integer_that_can_come_in_lies_near_a_tie(op: str) -> None:
    net = Net((4, 3, 16, 16))
    x = net.signed_map(5)
    checked = check(net, net.op(op, [x]), of=[x], in_float=IN_FLOAT[op], outside=OUTSIDE[op], opset=20)
    (node,) = [n for n in checked.quantized.model.graph if n.op_type == op]
    source, result = grid_of(node.inputs[0]), grid_of(node.outputs[0].consumers()[0].outputs[0])
    assert source is not None
    assert result is not None
    assert tie_distance(FUNCTIONS[op], source, result) >= MARGIN


@ops
def test_of_the_input_it_is_exact(op: str) -> None:
    net = Net()
    check(net, net.op(op, [net.x]), of=["x"], in_float=IN_FLOAT[op], outside=OUTSIDE[op], opset=20)


@ops
def test_of_a_sum_it_is_exact(op: str) -> None:
    """The grid of a sum is snapped, so that the function reads a copy that may be nudged."""
    net = Net()
    y = net.op("Add", [net.signed_map(5), net.signed_map(5)])
    check(net, net.op("Add", [y, net.op(op, [y])]), in_float=IN_FLOAT[op], outside=OUTSIDE[op], opset=20)


@ops
def test_of_an_average_and_of_vectors_it_is_exact(op: str) -> None:
    net = Net((16, 3, 4, 5))
    x = net.op("GlobalAveragePool", [net.signed_map(6)])
    y = net.gemm(net.op("Flatten", [net.op(op, [x])]), 30, 6)
    check(net, net.op(op, [y]), of=[x, y], in_float=IN_FLOAT[op] * 2, outside=OUTSIDE[op] * 2, opset=20)


@ops
def test_behind_another_function_and_in_front_of_an_activation_it_is_exact(op: str) -> None:
    net = Net((4, 3, 12, 12))
    x = net.signed_map(4)
    y = net.op(op, [net.op("Tanh", [x])])
    check(net, net.op("Relu", [y]), in_float=("Tanh", *IN_FLOAT[op]), outside=OUTSIDE[op], opset=20, of=[x, y])


@ops
def test_joined_with_other_values_it_is_exact(op: str) -> None:
    net = Net()
    x = net.signed_map(3)
    y = net.op(op, [x])
    check(
        net,
        net.op("Concat", [y, net.signed_map(2), y], axis=1),
        of=[x],
        in_float=IN_FLOAT[op],
        outside=OUTSIDE[op],
        opset=20,
    )


def test_two_functions_of_one_value_are_exact() -> None:
    net = Net()
    x = net.signed_map(4)
    check(net, net.op("Mul", [net.op("Sigmoid", [x]), net.op("Tanh", [x])]), of=[x], in_float=["Tanh"])


@few(st.integers(0, 99), st.integers(1, 3))
def test_silu_is_exact(seed: int, kernel: int) -> None:
    net = Net(seed=seed)
    x = net.conv(net.x, (5, 3, kernel, kernel))
    y = net.op("Mul", [x, net.op("Sigmoid", [x])])
    check(net, net.conv(y, (4, 5, 3, 3)), lsb=8)


def test_an_elu_of_another_alpha_is_refused() -> None:
    net = Net()
    with pytest.raises(UnsupportedOpError, match=r"alpha is 0\.5"):
        check(net, net.op("Elu", [net.signed_map(3)], alpha=0.5))


def test_functions_do_not_take_in_the_activation_behind_them() -> None:
    assert not FUNCTIONS.keys() & CLIPPING


SPELLINGS = {
    "of torch": lambda net, x: net.op(
        "Mul", [x, net.op("Mul", [half(net), net.op("Add", [erf(net, x, "Div", 2**0.5), one(net)])])]
    ),
    "of older exporters": lambda net, x: net.op(
        "Mul", [net.op("Mul", [x, net.op("Add", [one(net), erf(net, x, "Mul", 0.5**0.5)])]), half(net)]
    ),
    "with the half first": lambda net, x: net.op(
        "Mul", [net.op("Mul", [half(net), x]), net.op("Add", [erf(net, x, "Div", 2**0.5), one(net)])]
    ),
    "of opset 20": lambda net, x: net.op("Gelu", [x]),
}


def half(net: Net) -> str:
    return net.constant(np.float32(0.5))


def one(net: Net) -> str:
    return net.constant(np.float32(1))


def erf(net: Net, x: str, op: str, by: float) -> str:
    return net.op("Erf", [net.op(op, [x, net.constant(np.float32(by))])])


def tanh_form(net: Net, x: str, cube: str, *, factor: float = 0.044715) -> str:
    inner = net.op("Add", [x, net.op("Mul", [net.constant(np.float32(factor)), cube])])
    tanh = net.op("Tanh", [net.op("Mul", [net.constant(np.float32((2 / np.pi) ** 0.5)), inner])])
    return net.op("Mul", [x, net.op("Mul", [half(net), net.op("Add", [tanh, one(net)])])])


def cubed(net: Net, x: str) -> str:
    return net.op("Pow", [x, net.constant(np.float32(3))])


TANH_SPELLINGS = {
    "of torch": lambda net, x: tanh_form(net, x, cubed(net, x)),
    "with products": lambda net, x: tanh_form(net, x, net.op("Mul", [net.op("Mul", [x, x]), x])),
    "of opset 20": lambda net, x: net.op("Gelu", [x], approximate="tanh"),
}


@pytest.mark.parametrize("spelling", TANH_SPELLINGS)
def test_every_spelling_of_approximated_gelu_is_one_op(spelling: str) -> None:
    net = Net((4, 3, 16, 16))
    x = net.signed_map(5)
    checked = check(net, TANH_SPELLINGS[spelling](net, x), of=[x], in_float=["Gelu"], outside=["GELU"], opset=20)
    assert checked.ops() == ["Conv", "Gelu"]
    (node,) = [n for n in checked.quantized.model.graph if n.op_type == "Gelu"]
    source, result = grid_of(node.inputs[0]), grid_of(node.outputs[0].consumers()[0].outputs[0])
    assert source is not None
    assert result is not None
    assert tie_distance(tanh_gelu, source, result) >= MARGIN


@few(st.integers(0, 99), st.sampled_from([1.0, 0.3, 0.03]))
def test_approximated_gelu_is_exact(seed: int, reach: float) -> None:
    net = Net((4, 3, 16, 16), seed=seed)
    x = net.op("Mul", [net.signed_map(5), net.constant(np.float32(reach))])
    check(net, net.op("Gelu", [x], approximate="tanh"), of=[x], in_float=["Gelu"], outside=["GELU"], opset=20)


def test_what_is_not_quite_an_approximated_gelu_is_refused() -> None:
    net = Net()
    x = net.signed_map(5)
    with pytest.raises(UnsupportedOpError, match="Pow"):
        check(net, tanh_form(net, x, cubed(net, x), factor=0.05))


def torch_softplus(net: Net, x: str, threshold: float = 20.0) -> str:
    """torch gives x itself above a threshold."""
    above = net.op("Greater", [x, net.constant(np.float32(threshold))])
    return net.op("Where", [above, x, net.op("Softplus", [x])])


def log_softplus(net: Net, x: str) -> str:
    return net.op("Log", [net.op("Add", [one(net), net.op("Exp", [x])])])


SOFTPLUS_SPELLINGS = {
    "of torch": torch_softplus,
    "in full": log_softplus,
    "of ONNX": lambda net, x: net.op("Softplus", [x]),
}
MISH_SPELLINGS = {
    "of opset 18": lambda net, x: net.op("Mish", [x]),
    **{
        f"by the Softplus {name}": lambda net, x, spell=spell: net.op("Mul", [x, net.op("Tanh", [spell(net, x)])])
        for name, spell in SOFTPLUS_SPELLINGS.items()
    },
    "with the Tanh first": lambda net, x: net.op("Mul", [net.op("Tanh", [log_softplus(net, x)]), x]),
}


@pytest.mark.parametrize(
    ("op", "spell"),
    [*(("Softplus", s) for s in SOFTPLUS_SPELLINGS.values()), *(("Mish", s) for s in MISH_SPELLINGS.values())],
    ids=[*(f"Softplus {name}" for name in SOFTPLUS_SPELLINGS), *(f"Mish {name}" for name in MISH_SPELLINGS)],
)
def test_every_spelling_of_mish_and_softplus_is_one_op(op: str, spell: Callable[[Net, str], str]) -> None:
    net = Net()
    x = net.signed_map(5)
    checked = check(net, spell(net, x), of=[x], in_float=IN_FLOAT[op])
    assert checked.ops() == ["Conv", op]


def test_a_softplus_that_is_straight_too_early_is_refused() -> None:
    net = Net()
    with pytest.raises(UnsupportedOpError, match="Greater"):
        check(net, torch_softplus(net, net.signed_map(5), threshold=4.0))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_gelu_is_one_op(spelling: str) -> None:
    net = Net()
    x = net.signed_map(5)
    checked = check(net, SPELLINGS[spelling](net, x), of=[x], in_float=["Gelu"], outside=["GELU"], opset=20)
    assert checked.ops() == ["Conv", "Gelu"]


def test_what_is_not_quite_gelu_is_refused() -> None:
    net = Net()
    x = net.signed_map(5)
    y = net.op("Mul", [x, net.op("Add", [erf(net, x, "Div", 2.0), one(net)])])
    with pytest.raises(UnsupportedOpError, match="Erf"):
        check(net, y)


def test_the_largest_error_of_a_function_is_half_a_step() -> None:
    """What is looked up is the function's own value, rounded once."""
    net = Net((4, 3, 16, 16))
    x = net.signed_map(5)
    checked = check(net, net.op("Sigmoid", [x]), of=[x])
    (node,) = [n for n in checked.quantized.model.graph if n.op_type == "Sigmoid"]
    source = grid_of(node.inputs[0])
    assert source is not None
    table = FUNCTIONS["Sigmoid"](source.dequantize(np.arange(256)))
    assert set(np.unique(checked.integers)) <= set(checked.grid.quantize(table).tolist())


def test_a_grid_of_small_values_is_kept_further_from_ties() -> None:
    """exp(x) - 1 is off by up to 6e-8 however small x is: here ONNX Runtime and LiteRT differ by 1."""
    source, result = Grid(0.0001504566753283143, 182), Grid(0.0001472288422519341, 181)
    assert tie_distance(FUNCTIONS["Elu"], source, result) < MARGIN


@pytest.mark.parametrize("op", ["Elu", "Gelu", "Mish", "Softplus"])
@pytest.mark.parametrize("reach", [0.3, 0.03])
def test_of_small_values_it_is_exact(op: str, reach: float) -> None:
    net = Net((4, 3, 16, 16))
    x = net.op("Mul", [net.signed_map(5), net.constant(np.float32(reach / 10))])
    check(net, net.op(op, [x]), of=[x], in_float=IN_FLOAT[op], outside=OUTSIDE[op], opset=20)
