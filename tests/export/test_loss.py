"""The alarm: it rings where int8 loses more than it usually does, and says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgegap.export.loss import Seen, remedy
from edgegap.export.settings import ExportSettings
from edgegap.quantize.sensitivity import Part

N, CLASSES = 32, 10
WORST = Part("stem", "activation", "Conv", "features.0", 3.14, 9)


def seen(changed: int, *, noise: float = 0.0, labelled: int = 0) -> Seen:
    """Float answers class 0 on every image and is right; int8 answers class 1 on `changed` of them."""
    rng = np.random.default_rng(0)
    reference = np.zeros((N, CLASSES), np.float32)
    reference[:, :2] = 10, 9.9
    logits = reference.astype(np.float64)
    logits[:changed, 1] = 10.1
    logits[:, 5:] += noise * rng.choice([-1, 1], (N, CLASSES - 5))
    labels = np.full(N, -1)
    labels[:labelled] = 0
    return Seen(reference, logits, labels)


@pytest.mark.parametrize("changed", [0, 1, 3, 5])
def test_few_changed_answers_are_no_alarm(changed: int) -> None:
    assert not seen(changed).is_alarming


@pytest.mark.parametrize("changed", [6, 20, N])
def test_more_changed_answers_than_chance_explains_are_one(changed: int) -> None:
    assert seen(changed).is_alarming


def test_so_are_noisy_logits_with_every_answer_as_it_was() -> None:
    quiet, noisy = seen(0, noise=0.5), seen(0, noise=5)
    assert quiet.cost.changed == noisy.cost.changed == 0
    assert not quiet.is_alarming
    assert noisy.is_alarming


def test_the_line_says_how_much_where_and_what_to_do() -> None:
    line = seen(8, labelled=16).notice(WORST, "try --recipe default")
    assert "\n" not in line
    for words in (
        "changes the answer on 8 of 32 calibration images",
        "dB",
        "of 16 labels float has 16 right and int8 8",
        "the activation of Conv 'stem' (module features.0), 3.1 dB alone",
        "try --recipe default",
    ):
        assert words in line


def test_without_a_layer_and_labels_it_says_how_to_get_the_layer() -> None:
    line = seen(8).notice(None, "try --recipe default")
    assert "label" not in line
    assert "--report-sensitivity, which needs torch" in line


@pytest.mark.parametrize(
    ("recipe", "imported", "words"),
    [
        ("fast", False, "--recipe default"),
        ("default", False, "--max-drop"),
        ("default", False, "--report-sensitivity"),
        ("default", True, "float network"),
    ],
)
def test_the_remedy_fits_the_call(recipe: str, imported: bool, words: str) -> None:
    settings = ExportSettings("net.onnx", Path("out"), int8=True, calibration="digits:train", recipe=recipe)
    assert words in remedy(settings, imported=imported)
