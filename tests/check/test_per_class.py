"""Drop per class, and what the lost images were taken for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegap.check.per_class import ClassDrop, Confusion, confusions, per_class
from edgegap.check.statistics import benjamini_hochberg, mcnemar_p

NAMES = ("cat", "dog", "eel")


def answers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


LABELS = answers(0, 0, 0, 0, 1, 1, 1, 2, 2)
FLOAT = answers(0, 0, 0, 1, 1, 1, 0, 2, 2)
INT8 = answers(0, 1, 1, 1, 1, 1, 1, 2, 0)


def test_worst_class_comes_first_with_its_counts_and_p_values() -> None:
    p = [mcnemar_p(2, 0), mcnemar_p(0, 1), mcnemar_p(1, 0)]
    adjusted = benjamini_hochberg(p)
    assert per_class(LABELS, FLOAT, INT8, NAMES) == [
        ClassDrop("cat", 4, 3, 1, 50.0, p[0], adjusted[0]),
        ClassDrop("eel", 2, 2, 1, 50.0, p[2], adjusted[2]),
        ClassDrop("dog", 3, 2, 3, pytest.approx(-100 / 3), p[1], adjusted[1]),
    ]


def test_confusions_are_of_lost_images_most_first() -> None:
    assert confusions(LABELS, FLOAT, INT8, NAMES) == [
        Confusion("cat", "cat", "dog", 2),
        Confusion("eel", "eel", "cat", 1),
    ]


def test_classes_without_images_take_no_part_in_the_adjustment() -> None:
    labels = answers(*[7] * 10)
    rows = per_class(labels, labels, answers(*[3] * 10), [f"c{k}" for k in range(1000)])
    assert [row.name for row in rows] == ["c7"]
    assert rows[0].p_adjusted == rows[0].p == mcnemar_p(10, 0)


def test_classes_without_names_are_called_by_index() -> None:
    assert [row.name for row in per_class(LABELS, FLOAT, INT8, None)] == ["0", "2", "1"]
    assert confusions(LABELS, FLOAT, INT8, None)[0] == Confusion("0", "0", "1", 2)


def test_without_labels_there_is_nothing_to_say() -> None:
    assert per_class(None, FLOAT, INT8, NAMES) == []
    assert confusions(None, FLOAT, INT8, NAMES) == []


@pytest.mark.parametrize("right", [True, False])
def test_identical_predictions_drop_nothing_whether_right_or_wrong(right: bool) -> None:
    predictions = LABELS if right else (LABELS + 1) % 3
    assert {(row.drop_pp, row.p, row.p_adjusted) for row in per_class(LABELS, predictions, predictions, NAMES)} == {
        (0.0, 1.0, 1.0)
    }
    assert confusions(LABELS, predictions, predictions, NAMES) == []


def test_one_image_of_one_class() -> None:
    assert per_class(answers(0), answers(0), answers(0), ("only",)) == [ClassDrop("only", 1, 1, 1, 0.0, 1.0, 1.0)]


answered = st.integers(1, 60).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 4), min_size=n, max_size=n)] * 3))


@given(answered)
def test_classes_add_up_to_the_whole_and_confusions_to_the_lost(case: tuple[list[int], list[int], list[int]]) -> None:
    labels, floats, int8s = (answers(*values) for values in case)
    rows = per_class(labels, floats, int8s, None)
    assert sum(row.n for row in rows) == len(labels)
    assert sum(row.float_right for row in rows) == (floats == labels).sum()
    assert sum(row.int8_right for row in rows) == (int8s == labels).sum()
    assert [row.drop_pp for row in rows] == sorted((row.drop_pp for row in rows), reverse=True)
    assert all(row.p <= row.p_adjusted <= 1 for row in rows)
    lost = (floats == labels) & (int8s != labels)
    assert sum(pair.images for pair in confusions(labels, floats, int8s, None)) == lost.sum()
