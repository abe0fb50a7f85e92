"""Every board, every runtime, a trained network on 200 images: minutes of work, which `make verify` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli.harness import edgegap

from edgegap.run import Job, Result, run_job
from edgegap.run.device import Device
from edgegap.run.emulate import emulated
from edgegap.run.local import Local

from .conftest import ready

pytestmark = pytest.mark.boards

FILES = {"onnxruntime": "int8.onnx", "ai-edge-litert": "int8.tflite", "tflite-runtime": "int8.tflite"}
EXACT = [
    (board, runtime)
    for board in ("pi-zero-2w", "pi3", "pi4", "pi5", "desktop-avx2")
    for runtime in ("onnxruntime", "ai-edge-litert")
]
BOUNDED = ["pi3", "pi5", "armv7"]


@pytest.fixture(scope="module")
def resnet8(data_dir, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("resnet8")
    done = edgegap(
        *("export", f"{data_dir / 'networks.py'}:resnet8", "--int8", "--preprocess", "raw"),
        *("--weights", data_dir / "pretrained" / "mlperf_resnet8_cifar10.pt"),
        *("--calib", data_dir / "cifar10_train.npz", "-o", folder / "bundle"),
    )
    assert done.status == 0, done
    np.save(folder / "images.npy", np.load(data_dir / "cifar10_test.npz")["images"][:200])
    return folder


def results(folder: Path, runtime: str, device: Device) -> Result:
    table = np.tile(np.arange(256, dtype=np.float32), (3, 1))
    return run_job(Job(folder / "bundle" / FILES[runtime], runtime, folder / "images.npy", table), device)


@pytest.fixture(scope="module")
def desktop(resnet8) -> np.ndarray:
    return results(resnet8, "onnxruntime", Local()).outputs


@pytest.mark.parametrize(("board", "runtime"), EXACT)
def test_not_one_integer_differs_from_the_desktops(resnet8, desktop, board, runtime):
    np.testing.assert_array_equal(results(resnet8, runtime, emulated(ready(board))).outputs, desktop)


@pytest.mark.parametrize("board", BOUNDED)
def test_tflite_runtime_stays_within_three_steps_of_it(resnet8, desktop, board):
    """Its built-in kernels round twice: about half of the scores differ."""
    there = results(resnet8, "tflite-runtime", emulated(ready(board))).outputs
    step = np.diff(np.unique(desktop)).min()
    assert 0 < np.abs(there - desktop).max() < 3.5 * step
