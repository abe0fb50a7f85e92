"""The loop learns, goes on to the same weights, keeps the best epoch, and stops when it diverges."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edgegap.errors import InputError
from edgegap.models import Arguments, Checkpoint, build_network, read_checkpoint
from edgegap.progress import silent
from edgegap.train.history import best_epoch
from edgegap.train.loop import fit
from edgegap.train.settings import FitSettings
from edgegap.train.state import State

from .data import image_set

ARGUMENTS = Arguments((3, 8, 8), 2, "fc-dropout")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def network() -> nn.Module:
    """With BatchNorm, and with dropout in its head."""
    torch.manual_seed(7)
    return build_network("nin_tiny", ARGUMENTS)


def small() -> nn.Module:
    torch.manual_seed(7)
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_it_learns(tmp_path: Path) -> None:
    images, others = image_set(tmp_path, 64), image_set(tmp_path, 40, seed=1)
    seen: list[tuple[str, int, int | None]] = []
    state = fit(
        small(),
        images,
        others,
        FitSettings(epochs=15, batch=16, lr=0.02),
        save=lambda _: None,
        progress=lambda *told: seen.append(told),
    )
    assert state.history[-1].loss < state.history[0].loss
    assert state.history[-1].val_top1_pct is not None
    assert state.history[-1].val_top1_pct > 90
    assert [epoch.epoch for epoch in state.history] == list(range(1, 16))
    assert seen[-1] == ("training", 15 * 64, 15 * 64)


@pytest.mark.parametrize("options", [{}, {"optimizer": "sgd"}, {"patience": 3}], ids=str)
def test_a_training_that_goes_on_from_a_file_ends_in_the_same_weights_bit_for_bit(
    options: dict[str, Any], tmp_path: Path
) -> None:
    images, others = image_set(tmp_path, 33, channels=3), image_set(tmp_path, 10, channels=3, seed=1)
    settings = FitSettings(epochs=4, batch=8, augment="flip-crop", **options)
    template = Checkpoint("zoo:nin_tiny", ARGUMENTS, False, {}, None, None)

    def save(state: State) -> None:
        path = tmp_path / f"{len(state.history)}.pt"
        replace(template, state_dict=state.kept, training=state.to_record()).save(path)

    whole = fit(network(), images, others, settings, save=save, progress=silent)
    for done in (0, 2):
        checkpoint = read_checkpoint(tmp_path / f"{done}.pt")
        assert checkpoint.training is not None
        state = State.from_record(checkpoint.training, checkpoint.state_dict)
        torch.manual_seed(99)  # as in another process
        resumed = build_network("nin_tiny", ARGUMENTS)
        again = fit(resumed, images, others, settings, state=state, save=lambda _: None, progress=silent)
        assert same(again.network, whole.network)
        assert same(again.kept, whole.kept)
        assert [e.loss for e in again.history] == [e.loss for e in whole.history]
        assert same(resumed.state_dict(), whole.kept)


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    images = image_set(tmp_path, 32)
    first, second = (
        fit(small(), images, None, FitSettings(epochs=1, seed=seed), save=lambda _: None, progress=silent)
        for seed in (0, 1)
    )
    assert not same(first.network, second.network)


def test_a_state_is_not_changed_by_later_epochs(tmp_path: Path) -> None:
    states: list[tuple[State, dict[str, Any]]] = []

    def save(state: State) -> None:
        states.append((state, copy.deepcopy(state.network)))

    fit(small(), image_set(tmp_path, 16), None, FitSettings(epochs=3), save=save, progress=silent)
    assert [len(state.history) for state, _ in states] == [0, 1, 2, 3]
    assert all(same(state.network, before) for state, before in states)


def test_patience_stops_early_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    images, others = image_set(tmp_path, 48), image_set(tmp_path, 24, seed=1)
    states: list[State] = []
    settings = FitSettings(epochs=200, batch=16, lr=0.02, patience=4)
    learned = small()
    last = fit(learned, images, others, settings, save=states.append, progress=silent)
    best = best_epoch(last.history)
    assert len(last.history) == best.epoch + 4 < 200
    assert same(last.kept, states[best.epoch].network)
    assert same(learned.state_dict(), last.kept)


@pytest.mark.parametrize(("lr", "what"), [(1e30, "the loss"), (3e38, "the loss|a weight")])
def test_a_learning_rate_that_diverges_stops_at_once_and_names_the_step(lr: float, what: str, tmp_path: Path) -> None:
    states: list[State] = []
    settings = FitSettings(epochs=3, batch=8, lr=lr, optimizer="sgd")
    with pytest.raises(InputError, match=rf"({what}) is not finite after step \d \(epoch 1\)") as caught:
        fit(small(), image_set(tmp_path, 32), None, settings, save=states.append, progress=silent)
    assert caught.value.where == f"--lr {lr:g}"
    assert [len(state.history) for state in states] == [0]
    assert all(value.isfinite().all() for value in states[-1].kept.values())


def test_a_weight_that_overflows_in_the_last_step_is_not_saved(tmp_path: Path) -> None:
    states: list[State] = []
    images = image_set(tmp_path, 32)
    assert images.table is not None
    steep = replace(images, table=images.table * 1e6)
    settings = FitSettings(epochs=1, batch=32, lr=1e38, optimizer="sgd")  # its only step has no loss after it
    with pytest.raises(InputError, match="a weight is not finite after step 1"):
        fit(small(), steep, None, settings, save=states.append, progress=silent)
    assert len(states) == 1


def test_a_last_batch_of_one_image_is_left_out(tmp_path: Path) -> None:
    torch.manual_seed(0)
    one_position = nn.Sequential(nn.Conv2d(1, 4, 8), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1), nn.Flatten())
    state = fit(
        one_position,
        image_set(tmp_path, 17),
        None,
        FitSettings(epochs=1, batch=8),
        save=lambda _: None,
        progress=silent,
    )
    assert len(state.history) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"batch": 1},
        {"patience": 0},
        {"seed": -1},
        {"lr": 0.0},
        {"lr": float("nan")},
        {"lr": 1e38},
        {"lr": 1e39, "optimizer": "sgd"},
    ],
    ids=str,
)
def test_a_number_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"--{next(iter(options))} "):
        FitSettings(**options)
