"""The evaluator gives what ONNX Runtime gives, for every op and batch size, and lets hooks read and replace."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from graph.models import run
from ops.harness import Net

from edgegap.evaluator import Evaluator
from edgegap.evaluator.ops import OPERATIONS
from edgegap.graph.canonical import CANONICAL_OPS, canonicalize
from edgegap.graph.shapes import set_batch

torch = pytest.importorskip("torch")

SHAPE = (1, 4, 9, 8)


def slices(net: Net, x: str) -> str:
    return net.ints("Slice", x, [1, 0], [9, 7], [2, 3], [2, 3])


def pads(net: Net, x: str) -> str:
    amounts = net.constant(np.array([0, 1, 2, 0, 0, 0, 1, 3], np.int64))
    return net.op("Pad", [x, amounts, net.constant(np.float32(-1.5))])


def partial_pads(net: Net, x: str) -> str:
    amounts, axes = (net.constant(np.array(values, np.int64)) for values in ([1, 0, 0, 2], [2, 3]))
    return net.op("Pad", [x, amounts, net.constant(np.float32(0.5)), axes])


def head(net: Net, x: str) -> str:
    return net.gemm(net.op("Flatten", [net.op("GlobalAveragePool", [x])]), 5, 4)


BODIES = {
    "conv": lambda net, x: net.conv(x, (6, 4, 3, 3), pads=[1, 1, 1, 1]),
    "conv, uneven pads": lambda net, x: net.conv(x, (6, 4, 3, 2), pads=[0, 1, 2, 0], strides=[2, 1]),
    "conv, groups": lambda net, x: net.conv(x, (8, 2, 2, 3), group=2, dilations=[2, 1]),
    "gemm behind an average": head,
    "add": lambda net, x: net.op("Add", [x, net.conv(x, (4, 4, 1, 1))]),
    "mul by a map": lambda net, x: net.op("Mul", [x, net.constant(net.normal(1, 4, 9, 8))]),
    "mul of two": lambda net, x: net.op("Mul", [x, net.op("GlobalAveragePool", [x])]),
    "div": lambda net, x: net.op("Div", [net.conv(x, (4, 4, 1, 1)), net.op("Sigmoid", [x])]),
    "length": lambda net, x: net.op("GlobalLpPool", [x]),
    "concat": lambda net, x: net.op("Concat", [x, net.conv(x, (3, 4, 1, 1))], axis=1),
    "max pool": lambda net, x: net.op("MaxPool", [x], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    "average pool": lambda net, x: net.op("AveragePool", [x], kernel_shape=[3, 3], strides=[2, 2]),
    "average pool that counts its padding": lambda net, x: net.op(
        "AveragePool", [x], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "elu": lambda net, x: net.op("Elu", [net.conv(x, (4, 4, 1, 1))]),
    "gelu": lambda net, x: net.op("Gelu", [net.conv(x, (4, 4, 1, 1))]),
    "layer norm": lambda net, x: net.op(
        "LayerNormalization",
        [net.op("Transpose", [x], perm=[0, 2, 3, 1]), net.constant(net.normal(4)), net.constant(net.normal(4))],
    ),
    "gelu, tanh": lambda net, x: net.op("Gelu", [net.conv(x, (4, 4, 1, 1))], approximate="tanh"),
    "resize by a fraction": lambda net, x: net.op(
        "Resize",
        [x, "", net.constant(np.float32([1, 1, 2.34, 1.4]))],
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    ),
    "resize": lambda net, x: net.op("Resize", [x, "", net.constant(np.float32([1, 1, 2, 3]))], mode="nearest"),
    "hard swish": lambda net, x: net.op("HardSwish", [net.conv(x, (4, 4, 1, 1))]),
    "mish": lambda net, x: net.op("Mish", [net.conv(x, (4, 4, 1, 1))]),
    "softplus": lambda net, x: net.op("Softplus", [net.conv(x, (4, 4, 1, 1))]),
    "sigmoid": lambda net, x: net.op("Sigmoid", [net.conv(x, (4, 4, 1, 1))]),
    "tanh": lambda net, x: net.op("Tanh", [net.conv(x, (4, 4, 1, 1))]),
    "relu": lambda net, x: net.op("Relu", [x]),
    "clip": lambda net, x: net.op("Clip", [x, net.constant(np.float32(-0.5)), net.constant(np.float32(1.25))]),
    "clip, one end": lambda net, x: net.op("Clip", [x, net.constant(np.float32(-0.5))]),
    "pad": pads,
    "pad of some axes": partial_pads,
    "slice": slices,
    "reshape": lambda net, x: net.ints("Reshape", net.conv(x, (2, 4, 1, 1)), [0, 2, 8, 9]),
    "transpose": lambda net, x: net.op("Transpose", [net.conv(x, (2, 4, 1, 1))], perm=[0, 2, 3, 1]),
}


def canonical(body: str) -> ir.Model:
    net = Net(SHAPE)
    x = net.op("Relu", [net.conv(net.x, (4, 4, 1, 1))]) if "max pool" not in body else net.x
    return canonicalize(ir.from_proto(net.in_opset(BODIES[body](net, x), 20)), SHAPE)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, *SHAPE[1:])).astype(np.float32)


def test_every_op_of_the_canonical_form_has_a_function() -> None:
    assert set(OPERATIONS) == CANONICAL_OPS
    seen = {node.op_type for body in BODIES for node in canonical(body).graph}
    assert seen == CANONICAL_OPS, "no test looks at the others"


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("count", [1, 3])
def test_outputs_are_those_of_onnx_runtime(body: str, count: int) -> None:
    model, x = canonical(body), images(count)
    found = Evaluator(model)(torch.from_numpy(x))
    set_batch(model, count)
    expected = run(model, x)
    assert tuple(found.shape) == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_that_of_finite_differences() -> None:
    evaluate = Evaluator(canonical("gemm behind an average"))
    evaluate.constants = {name: tensor.double() for name, tensor in evaluate.constants.items()}
    x = torch.from_numpy(images(2)).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: evaluate(v).square().sum(), [x])


def test_a_hook_is_told_every_value_in_the_order_of_the_graph() -> None:
    model, told = canonical("gemm behind an average"), []
    Evaluator(model)(torch.from_numpy(images(1)), lambda value, tensor: told.append((value.name, tuple(tensor.shape))))
    values = [model.graph.inputs[0], *(node.outputs[0] for node in model.graph)]
    assert told == [(value.name, tuple(value.shape)) for value in values]


def test_what_a_hook_gives_back_takes_the_values_place() -> None:
    model, x = canonical("add"), torch.from_numpy(images(2))
    relu = next(node.outputs[0].name for node in model.graph if node.op_type == "Relu")
    evaluate = Evaluator(model)
    whole = evaluate(x)
    halved = evaluate(x, lambda value, tensor: tensor / 2 if value.name == relu else None)
    nothing = evaluate(x, lambda value, tensor: tensor * 0 if value.name == relu else None)
    torch.testing.assert_close(halved - nothing, (whole - nothing) / 2)


def test_a_constant_can_be_replaced() -> None:
    model, x = canonical("conv"), torch.from_numpy(images(1))
    evaluate = Evaluator(model)
    before = evaluate(x)
    name = str(next(node for node in model.graph if node.op_type == "Conv").inputs[1].name)
    evaluate.constants[name] = evaluate.constants[name] * 0
    assert not torch.equal(evaluate(x), before)
    assert torch.equal(Evaluator(model)(x), before), "the model itself was changed"
