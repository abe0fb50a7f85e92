"""A quantization as a network in training: it computes what the integers do, and comes back as integers."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from ops.harness import Net
from quantize.nets import FULL, images_of, quantized
from tflite.runtimes import run_onnx

from edgegap.quantize.quantization import Quantization

torch = pytest.importorskip("torch")

from edgegap.train.qat_network import Trainee  # noqa: E402  # behind torch


def start() -> Quantization:
    """A pool between two convolutions: lowered, it is a convolution too."""
    net = Net((1, 3, 8, 8), seed=3)
    x = net.op("Relu", [net.conv(net.x, (4, 3, 3, 3), pads=[1, 1, 1, 1])])
    x = net.op("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])
    return quantized(net, net.op("GlobalAveragePool", [net.conv(x, (5, 4, 1, 1))]), recipe=FULL, io="float").parts


def layers_of(parts: Quantization) -> list[str]:
    """All but the pool, whose weights are 127."""
    return [name for name, layer in parts.linear.items() if not (layer.weight == 127).all()]


def images() -> np.ndarray:
    return images_of(Net((1, 3, 8, 8), seed=4))


def moved(parts: Quantization, steps: float) -> Trainee:
    """A trainee whose every parameter was moved at random, up to so many steps."""
    trainee = Trainee(parts, layers_of(parts))
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in trainee.network.parameters():
            parameter.add_(steps * (2 * torch.rand_like(parameter) - 1))
    return trainee


def test_what_did_not_move_comes_back_as_it_was() -> None:
    parts = start()
    back = Trainee(parts, layers_of(parts)).quantization()
    for name, layer in parts.linear.items():
        assert np.array_equal(back.linear[name].weight, layer.weight)
        assert np.array_equal(back.linear[name].bias, layer.bias)


@pytest.mark.parametrize("steps", [0.4, 3.0, 300.0])
def test_it_computes_what_its_integers_compute(steps: float) -> None:
    parts = start()
    trainee = moved(parts, steps)
    model = ir.to_proto(trainee.quantization().normal_form())
    with torch.no_grad():
        simulated = trainee.network(torch.from_numpy(images())).numpy()
    step = parts.grids[str(parts.model.graph.outputs[0].name)].scale
    for image, mine in zip(images(), simulated, strict=True):
        (theirs,) = run_onnx(model, {"x": image[None]})
        assert np.abs(mine - theirs.reshape(-1)).max() < 1.5 * step


def test_weights_end_as_integers_of_the_same_scale_and_the_pool_stays() -> None:
    parts = start()
    learned = moved(parts, 3.0).quantization()
    assert learned.grids is parts.grids
    for name, layer in parts.linear.items():
        assert np.array_equal(learned.linear[name].weight_scale, layer.weight_scale)
        changed = not np.array_equal(learned.linear[name].weight, layer.weight)
        assert changed == (name in layers_of(parts))


def test_every_parameter_gets_a_gradient() -> None:
    parts = start()
    trainee = Trainee(parts, layers_of(parts))
    trainee.network(torch.from_numpy(images())).square().sum().backward()
    parameters = list(trainee.network.parameters())
    assert len(parameters) == 2 * len(layers_of(parts)) == 4
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in parameters)
