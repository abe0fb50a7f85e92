"""The noise of logits: what moves the answer counts, and every figure can be written."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.seeded import few

from edgegap.errors import ModelError
from edgegap.quantize.noise import Cost, Noise


def cost(reference: object, logits: object) -> Cost:
    noise = Noise()
    noise.add(np.array(reference, np.float32), np.array(logits, np.float32))
    return noise.cost()


@few(st.integers(0, 10**6))
def test_noise_a_tenth_as_large_as_the_signal_is_20_db(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, e = rng.normal(size=(2, 7, 4))
    centred, noise = (a - a.mean(1, keepdims=True) for a in (z, e))
    e *= 0.1 * np.sqrt((centred**2).sum() / (noise**2).sum())
    assert cost(z, z + e).snr_db == pytest.approx(20, abs=0.01)


def test_a_constant_added_to_all_classes_is_no_noise() -> None:
    assert cost([[1, 2, 3]], [[11, 12, 13]]) == Cost(None, 0)


def test_what_is_cut_off_below_the_fifth_largest_is_no_noise() -> None:
    assert cost([[9, 8, 7, 6, 5, -90, -40]], [[9, 8, 7, 6, 5, 0, 0]]) == Cost(None, 0)


def test_a_low_logit_that_comes_to_the_top_is_noise_and_another_answer() -> None:
    found = cost([[9, 8, 7, 6, 5, -90, -40]], [[9, 8, 7, 6, 5, 20, 0]])
    assert found.changed == 1
    assert found.snr_db is not None
    assert found.snr_db < 0


def test_batches_add_up() -> None:
    rng = np.random.default_rng(0)
    z, q = rng.normal(size=(2, 12, 9))
    noise = Noise()
    for start in range(0, 12, 5):
        noise.add(z[start : start + 5], q[start : start + 5])
    assert noise.cost().snr_db == pytest.approx(cost(z, q).snr_db, abs=1e-4)
    assert noise.cost().changed == cost(z, q).changed == (z.argmax(1) != q.argmax(1)).sum()


def test_one_output_has_an_error_too() -> None:
    assert cost([[10.0], [-10.0]], [[11.0], [-9.0]]) == Cost(pytest.approx(20), 0)


@pytest.mark.parametrize(("reference", "logits"), [([[1, 2]], [[1, 2]]), ([[0, 0]], [[0, 5]]), ([[0]], [[1]])])
def test_every_cost_is_json(reference: list[list[float]], logits: list[list[float]]) -> None:
    json.dumps(asdict(cost(reference, logits)), allow_nan=False)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_refused(wrong: float) -> None:
    for pair in (([[wrong, 1]], [[0, 1]]), ([[0, 1]], [[wrong, 1]]), ([[wrong, 1]], [[wrong, 1]])):
        with pytest.raises(ModelError, match="NaN or infinite"):
            cost(*pair)
