"""`edgegap models`."""

from __future__ import annotations

import pytest

from edgegap.models import ARCHITECTURES

from .harness import edgegap, refused


def test_list_gives_every_network_with_its_cost() -> None:
    done = edgegap("models", "list")
    assert done.status == 0, done.err
    lines = done.out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(ARCHITECTURES)
    (resnet8,) = [line.split() for line in lines if line.startswith("resnet8")]
    assert resnet8[1:5] == ["3,32,32", "78,042", "312,168", "12,541,952"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_show_gives_its_layers_and_what_each_head_costs(name: str) -> None:
    done = edgegap("models", "show", name)
    assert done.status == 0, done.err
    assert "Conv2d(" in done.out
    costs = {line.split()[0]: int(line.split()[1].replace(",", "")) for line in done.out.splitlines()[3:7]}
    assert costs["gap"] == costs["gap-linear"] < costs["fc"] == costs["fc-dropout"]


def test_an_unknown_name_is_answered_with_the_names() -> None:
    refused("models", "show", "resnet9", words=("resnet9", "resnet8", "nin_tiny"))
