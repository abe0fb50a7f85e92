"""Mean confidence, calibration error, ties and top-5."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import top_k_accuracy_score

from edgegap.check.confidence import Confidence, Ties, confidence, ties, top_k_pct


def logits_of(*probabilities: float) -> np.ndarray:
    """Two-class logits that answer class 0 with each probability."""
    p = np.array(probabilities)
    return np.stack([np.log(p), np.log(1 - p)], axis=1)


def test_calibration_error_weighs_the_gap_of_each_bin_by_its_images() -> None:
    logits = logits_of(0.9, 0.9, 0.9, 0.9, 0.6)
    labels = np.array([0, 0, 0, 1, 1])
    # bin (13/15, 14/15]: 3 of 4 right at 0.9; bin (8/15, 9/15]: 0 of 1 right at 0.6
    result = confidence(logits, labels)
    assert result.mean_confidence == pytest.approx(0.84)
    assert result.ece == pytest.approx(4 / 5 * 0.15 + 1 / 5 * 0.6)


def test_calibration_error_does_not_cancel_between_bins() -> None:
    result = confidence(logits_of(0.95, 0.55), np.array([1, 0]))
    assert result.ece == pytest.approx((0.95 + 0.45) / 2)


def test_a_bin_holds_its_upper_end() -> None:
    logits = np.concatenate([logits_of(0.95), [[5000.0, 0.0]]])
    assert confidence(logits, np.array([0, 1])).ece == pytest.approx(abs(0.05 - 1) / 2)  # both in (14/15, 1]


@pytest.mark.parametrize(("label", "ece"), [(0, 0.0), (1, 1.0)])
def test_certainty_is_perfect_when_right_and_the_worst_when_wrong(label: int, ece: float) -> None:
    assert confidence(np.array([[5000.0, 0.0]], np.float32), np.array([label])) == Confidence(1.0, ece)


def test_integers_have_the_confidence_of_the_floats_they_stand_for_whatever_the_zero_point() -> None:
    integers = np.random.default_rng(0).integers(-100, 100, (50, 10)).astype(np.int16)
    labels = np.arange(50) % 10
    scale, zero_point = 0.073, -17
    floats = scale * (integers.astype(np.float64) - zero_point)
    ours, theirs = confidence(integers, labels, scale), confidence(floats, labels)
    assert ours.mean_confidence == pytest.approx(theirs.mean_confidence)
    assert ours.ece == pytest.approx(theirs.ece)


def test_without_labels_confidence_remains() -> None:
    assert confidence(logits_of(0.75), None) == Confidence(pytest.approx(0.75), None)
    assert ties(np.array([[3, 3]]), None, np.array([0])) == Ties(1, None)
    assert top_k_pct(np.array([[3, 3]]), None) is None


def test_one_class_is_always_certain_and_right() -> None:
    logits = np.array([[-3.0]])
    assert confidence(logits, np.array([0])) == Confidence(1.0, 0.0)
    assert ties(logits, np.array([0]), np.array([0])) == Ties(0, 0)
    assert top_k_pct(logits, np.array([0])) == 100.0


def test_a_lost_image_is_explained_by_a_tie_only_when_its_label_is_among_the_tied() -> None:
    integers = np.array(
        [
            [5, 5, 0],  # tied, lost: the label ties and comes second
            [5, 5, 0],  # tied, lost, but the label is not among the tied
            [5, 5, 0],  # tied, right by its index
            [5, 5, 0],  # tied, int8 wrong, but float was wrong as well
            [9, 5, 0],  # lost without a tie
        ]
    )
    labels, floats = np.array([1, 2, 0, 1, 1]), np.array([1, 2, 0, 0, 1])
    assert ties(integers, labels, floats) == Ties(tied_images=4, lost_to_ties=1)


def test_a_tie_below_the_largest_is_none() -> None:
    assert ties(np.array([[7, 3, 3]]), np.array([0]), np.array([0])) == Ties(0, 0)


def test_top_k_takes_the_lower_index_among_equals() -> None:
    logits = np.zeros((12, 12), np.int16)
    assert top_k_pct(logits, np.arange(12)) == pytest.approx(100 * 5 / 12)


def test_top_k_agrees_with_scikit_learn_where_nothing_ties() -> None:
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(200, 20)), rng.integers(0, 20, 200)
    for k in (1, 3, 5):
        expected = top_k_accuracy_score(labels, logits, k=k, labels=np.arange(20))
        assert top_k_pct(logits, labels, k) == pytest.approx(100 * expected)


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.tuples(
            st.lists(st.lists(st.integers(-3, 3), min_size=6, max_size=6), min_size=n, max_size=n),
            st.lists(st.integers(0, 5), min_size=n, max_size=n),
        )
    )
)
def test_top_1_is_argmax_and_top_k_never_falls(case: tuple[list[list[int]], list[int]]) -> None:
    logits, labels = np.array(case[0], np.int8), np.array(case[1])
    shares = [top_k_pct(logits, labels, k) for k in range(1, 7)]
    assert shares[0] == 100 * (logits.argmax(axis=1) == labels).mean()
    assert shares == sorted(shares)
    assert shares[-1] == 100
    result = confidence(logits, labels)
    assert 1 / 6 - 1e-12 <= result.mean_confidence <= 1
    assert 0 <= result.ece <= 1
