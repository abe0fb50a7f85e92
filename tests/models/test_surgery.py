"""A GAP head in place of fully connected layers: what it computes, and where it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from edgegap.errors import ModelError
from edgegap.models import with_gap_head

SHAPE = (3, 8, 8)


class ResNetStyle(nn.Module):
    """A module with a residual connection, and a flatten that is a call."""

    def __init__(self, flatten: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.flatten = flatten
        self.fc = nn.Linear(6 * 8 * 8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv1(x))
        x = functional.relu(x + self.conv2(x))
        y: Tensor = self.fc(self.flatten(x))
        return y


class Calls(nn.Module):
    """A convolution, `function`, and a linear layer."""

    def __init__(self, function: Callable[[Tensor], Tensor], features: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.function = function
        self.fc = nn.Linear(features, 5)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(self.function(self.conv(x)))
        return y


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def vgg_style() -> nn.Sequential:
    features = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    classifier = nn.Sequential(
        nn.Flatten(), nn.Linear(6 * 16, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.5), nn.Linear(12, 5)
    )
    return nn.Sequential(features, classifier).eval()


@given(st.integers(1, 4), st.integers(1, 5), st.integers(2, 5), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_for_maps_that_are_the_same_everywhere_it_gives_the_scores_of_the_fully_connected_layer(
    channels: int, height: int, width: int, seed: int
) -> None:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(channels * height * width, 3))
    changed = with_gap_head(network, (channels, height, width), "net")
    x = torch.rand(2, channels, 1, 1).expand(2, channels, height, width)
    torch.testing.assert_close(changed(x), network(x), rtol=1e-4, atol=1e-5)


def test_its_weights_are_the_average_over_positions_times_their_number() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4 * 64, 5))
    changed = with_gap_head(network, SHAPE, "net")
    weight, state = network[2].weight.detach(), changed.state_dict()
    torch.testing.assert_close(state["2.weight"][:, :, 0, 0], weight.view(5, 4, 64).mean(2) * 64)
    torch.testing.assert_close(state["2.bias"], network[2].bias.detach())


def test_several_layers_become_an_mlpconv() -> None:
    network = vgg_style()
    changed = with_gap_head(network, SHAPE, "net")
    assert changed(torch.rand(2, *SHAPE)).shape == (2, 5)
    convolutions = [layer for layer in changed.modules() if isinstance(layer, nn.Conv2d)]
    assert [tuple(layer.weight.shape) for layer in convolutions[1:]] == [(12, 6, 1, 1), (5, 12, 1, 1)]
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in changed.modules())
    assert not any(isinstance(layer, nn.Linear | nn.BatchNorm1d) for layer in changed.modules())


@pytest.mark.parametrize(
    "flatten",
    [
        lambda x: x.flatten(1),
        lambda x: torch.flatten(x, 1),
        lambda x: x.view(x.size(0), -1),
        lambda x: x.reshape(-1, 6 * 8 * 8),
        lambda x: functional.dropout(x.contiguous().view(x.shape[0], -1), 0.5, False),
    ],
)
def test_a_flatten_may_be_a_call(flatten: Callable[[Tensor], Tensor]) -> None:
    network = ResNetStyle(flatten)
    changed = with_gap_head(network, SHAPE, "net")
    assert changed(torch.rand(4, *SHAPE)).shape == (4, 5)
    assert tuple(changed.state_dict()["fc.weight"].shape) == (5, 6, 1, 1)
    assert "conv1.weight" in changed.state_dict()


def test_the_network_itself_is_left_as_it_was() -> None:
    network = vgg_style()
    x = torch.rand(2, *SHAPE)
    before, keys = network(x), list(network.state_dict())
    with_gap_head(network, SHAPE, "net")
    assert list(network.state_dict()) == keys
    assert torch.equal(network(x), before)


def test_all_of_it_can_be_trained() -> None:
    changed = with_gap_head(vgg_style(), SHAPE, "net").train()
    changed(torch.rand(4, *SHAPE)).sum().backward()
    assert all(parameter.grad is not None for parameter in changed.parameters())


def test_a_module_that_is_called_gap_keeps_its_name() -> None:
    network = nn.Sequential()
    network.add_module("gap", nn.Conv2d(3, 4, 1))
    network.add_module("rest", nn.Sequential(nn.Flatten(), nn.Linear(4 * 64, 5)))
    changed = with_gap_head(network, SHAPE, "net")
    assert changed(torch.rand(2, *SHAPE)).shape == (2, 5)
    assert torch.equal(changed.state_dict()["gap.weight"], network[0].weight)


HEAD = (nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (nn.Sequential(*HEAD), "ends in .*Flatten"),
        (nn.Sequential(*HEAD, nn.Linear(4, 5)), "nothing is left to average"),
        (Calls(lambda x: x.mean((2, 3)), 4), "nothing is left to average"),
        (Calls(lambda x: x.permute(0, 2, 3, 1).flatten(1), 256), "permute made"),
        (Calls(lambda x: x.flatten(2).flatten(1), 256), "no map"),
        (Calls(lambda x: x.flatten(1) * 2, 256), "in front of its fully connected layer"),
        (nn.Sequential(nn.Flatten(), nn.BatchNorm1d(192), nn.Linear(192, 5)), "normalizes every position"),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.LogSoftmax(1)), "ends in .*LogSoftmax"),
        (Branches(), "cannot be traced"),
        (nn.Sequential(nn.Conv2d(1, 4, 1), nn.Flatten(), nn.Linear(256, 5)), "does not take images of C,H,W = 3,8,8"),
    ],
)
def test_where_there_is_no_spatial_map_to_average_it_says_why(
    network: Any, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ModelError, match=reason) as caught:
        with_gap_head(network, SHAPE, "mine.py:net")
    assert caught.value.where == "mine.py:net"
    assert caught.value.hint
    assert not capfd.readouterr().err  # torch.fx prints tracebacks of its own
