"""`check --max-drop`, `--sample-size` and `--resume`, and a check of what is hardly there."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from edgegap.bundle import open_bundle
from edgegap.check.check import CheckSettings, check

from .harness import COMMAND, edgegap, refused, write_npz


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten labelled digits, all of one class."""
    from sklearn.datasets import load_digits  # noqa: PLC0415  # part of the demo extra

    digits = load_digits()
    chosen = np.flatnonzero(digits.target == 3)[:10]
    path = tmp_path_factory.mktemp("few") / "few.npz"
    images = np.rint(digits.images[chosen] * 255 / 16).astype(np.uint8)
    np.savez(path, images=images, labels=digits.target[chosen])
    return path


def test_a_wide_gate_passes_and_stands_in_the_record(bundle: Path) -> None:
    done = edgegap("check", bundle, "--data", "digits:test", "--max-drop", "5", "--json", "-")
    assert done.status == 0, done.err
    assert done.record["gate"] == {
        "max_drop_pp": 5.0, "artifact": "int8.onnx", "verdict": "passed", "images_needed": None,
    }  # fmt: skip
    low, high = done.record["results"][1]["drop_ci95_pp"]
    assert low <= done.record["results"][1]["drop_pp"] <= high < 5


def test_too_few_images_fail_the_gate_and_say_how_many_would_do(bundle: Path, few: Path) -> None:
    done = edgegap("check", bundle, "--data", few, "--max-drop", "0.5")
    assert done.status == 1
    assert "10 images are too few to tell" in done.err
    assert "would decide it" in done.err


def test_a_gate_without_labels_is_refused(bundle: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "bare.npz", images=np.zeros((3, 8, 8), np.uint8))
    refused("check", bundle, "--data", tmp_path / "bare.npz", "--max-drop", "1", words="a label for every image")


def test_sample_size_answers_beforehand(bundle: Path) -> None:
    done = edgegap("check", bundle, "--sample-size", "--max-drop", "0.5")
    assert done.status == 0
    assert done.out.startswith("6,675 images")
    refused("check", bundle, "--sample-size", words="--max-drop")


def test_one_image_is_checked(bundle: Path) -> None:
    done = edgegap("check", bundle, "--data", "digits:test", "--samples", "1", "--json", "-")
    assert done.status == 0, done.err
    record = done.record
    assert record["n"] == 1
    assert record["layers"]["n"] == record["maps"]["n"] == record["shift"]["n"] == 1


def test_resume_takes_what_is_there_and_goes_on_in_the_middle_of_a_file(bundle: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "many.npz", 20_000)
    arguments = ("check", bundle, "--data", data, "--resume", "--json", "-")
    kept = bundle / "checks" / ".unfinished"
    with subprocess.Popen([COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not any(done_images(kept)):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    some = sum(done_images(kept))
    assert 0 < some < 4 * 20_000
    reports: list[tuple[str, int]] = []
    settings = CheckSettings(str(data), resume=True)
    resumed = check(open_bundle(bundle), settings, lambda stage, done, _: reports.append((stage, done)))
    assert next(done for stage, done in reports if "float.tflite" in stage) >= some
    assert not kept.exists()
    again = edgegap(*arguments).record
    volatile = {"date": "", "commands": []}
    assert again | volatile == json.loads(json.dumps(resumed.record)) | volatile


def done_images(folder: Path) -> list[int]:
    """How many images each unfinished job in a folder has done."""
    return [int(path.read_text() or 0) for path in folder.glob("*/done.txt")]
