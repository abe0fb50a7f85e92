"""What each head computes and how much it learns."""

from __future__ import annotations

import pytest
import torch

from edgegap.models import FCHead, GAPHead, GAPLinearHead
from edgegap.models.heads import HEADS, HeadName


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_a_gap_head_averages_one_map_for_each_class() -> None:
    head = GAPHead(4, 3)
    x = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(head(x), head[0](x).mean((2, 3)))


def test_a_gap_linear_head_gives_the_scores_of_a_gap_head_with_the_same_weights() -> None:
    linear, gap = GAPLinearHead(4, 3), GAPHead(4, 3)
    gap[0].load_state_dict(
        {key: v.reshape(gap[0].state_dict()[key].shape) for key, v in linear[2].state_dict().items()}
    )
    x = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(linear(x), gap(x))


def test_only_the_parameters_of_a_fully_connected_head_grow_with_the_map() -> None:
    assert parameters(GAPHead(4, 3)) == parameters(GAPLinearHead(4, 3)) == 4 * 3 + 3
    assert parameters(FCHead(4, 5, 6, 3)) == 4 * 5 * 6 * 3 + 3


@pytest.mark.parametrize("name", HEADS)
def test_only_the_head_that_is_called_so_has_dropout(name: HeadName) -> None:
    head = HEADS[name](4, 5, 6, 3).train()
    x = torch.randn(8, 4, 5, 6)
    assert torch.equal(head(x), head(x)) is (name != "fc-dropout")


@pytest.mark.parametrize("training", [True, False])
def test_dropout_changes_the_scores_of_a_fully_connected_head_in_training_only(training: bool) -> None:
    head = FCHead(4, 5, 6, 3).train(training)
    x = torch.randn(8, 4, 5, 6)
    assert torch.equal(head(x), head(x)) is not training
