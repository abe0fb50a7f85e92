"""Weights by the margin: they are its squared gradients, of images from all over the set, and never silently wrong."""

from __future__ import annotations

import numpy as np
import pytest
from ops.harness import Net

from edgegap.errors import ModelError
from edgegap.quantize import margin
from edgegap.quantize.lower import lower
from edgegap.quantize.margin import weigh_by_margin
from edgegap.quantize.observer import observe
from edgegap.quantize.quantize import quantize
from edgegap.quantize.statistics import Statistics

from .nets import FULL, canonical, images_of


def weighed(net: Net, output: str, images: np.ndarray) -> tuple[dict[str, Statistics], tuple[str, ...]]:
    model = canonical(net, output)
    lower(model)
    statistics = observe(model, [images], detailed=True)
    return statistics, weigh_by_margin(model, [images], statistics, FULL)


def linear_net(rows: list[list[float]]) -> tuple[Net, str, str]:
    """Pixels, averaged over the map, times `rows`: the margin's gradient is the difference of two rows."""
    net = Net((1, 3, 2, 2))
    same = net.op(
        "Conv",
        [net.x, net.constant(np.eye(3, dtype=np.float32)[:, :, None, None]), net.constant(np.zeros(3, np.float32))],
    )
    pooled = net.op("GlobalAveragePool", [same])
    y = net.op(
        "Gemm",
        [net.op("Flatten", [pooled]), net.constant(np.float32(rows)), net.constant(np.float32([0] * len(rows)))],
        transB=1,
    )
    return net, pooled, y


def test_weights_are_squared_gradients_of_the_margin() -> None:
    net, pooled, y = linear_net([[5, 1, 0], [4, 3, 0], [-9, -9, -9]])
    image = np.ones((1, 3, 2, 2), np.float32) * np.float32([1, 0.1, 0.5])[:, None, None]
    statistics, notices = weighed(net, y, image)  # logits 5.1 and 4.3: the margin's gradient is [1, -2, 0]
    weighted = statistics[pooled].weighted
    found = {float(np.round(c, 1)): w for c, w in zip(weighted.centres(), weighted.counts, strict=True) if w}
    assert found == pytest.approx({1.0: 1.0, 0.1: 4.0})
    assert statistics[y].weighted.counts.sum() == pytest.approx(2)
    assert notices == ()


def test_one_output_is_its_own_margin() -> None:
    net, pooled, y = linear_net([[2, 0, 1]])
    statistics, _ = weighed(net, y, np.ones((1, 3, 2, 2), np.float32))
    assert statistics[pooled].weighted.counts.sum() == pytest.approx(5)


def test_at_most_64_images_are_differentiated_from_all_over_the_set(monkeypatch) -> None:
    monkeypatch.setattr(margin, "IMAGES", 4)
    images = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1)
    taken = [float(image.item()) for image in margin._spread([images[:3], images[3:]], 10)]
    assert taken == [0, 2, 5, 7]
    assert len(list(margin._spread([images[:3]], 3))) == 3


def test_a_layer_that_never_moves_the_margin_is_told() -> None:
    net = Net()
    dead = net.op(
        "Relu",
        [
            net.op(
                "Conv",
                [net.x, net.constant(np.zeros((4, 3, 1, 1), np.float32)), net.constant(np.full(4, -1, np.float32))],
            )
        ],
    )
    y = net.op("GlobalAveragePool", [net.op("Add", [dead, net.conv(net.x, (4, 3, 1, 1))])])
    _, notices = weighed(net, y, images_of(net))
    assert notices == ()  # Add's gradient reaches the dead layer's output, whatever it is
    behind = net.op(
        "Conv", [dead, net.constant(np.zeros((4, 4, 1, 1), np.float32)), net.constant(np.ones(4, np.float32))]
    )
    _, notices = weighed(
        net, net.op("GlobalAveragePool", [net.op("Add", [behind, net.conv(net.x, (4, 3, 1, 1))])]), images_of(net)
    )
    assert len(notices) == 1
    assert dead in notices[0]


def test_a_gradient_that_is_not_finite_names_the_layer() -> None:
    net, x = Net(), None
    for size in (1e-36, 1e20, 1e20):
        x = net.op(
            "Conv",
            [
                x or net.x,
                net.constant(net.normal(3, 3, 1, 1) * np.float32(size)),
                net.constant(np.zeros(3, np.float32)),
            ],
        )
    model = canonical(net, net.op("GlobalAveragePool", [x]))
    with pytest.raises(ModelError, match="gradient of the margin is NaN or infinite") as caught:
        quantize(model, [images_of(net)], FULL, table=net.pixel_table())
    assert "conv_0" in str(caught.value.where)
    assert caught.value.hint
