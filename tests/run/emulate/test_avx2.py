"""x86-64 with AVX2 and without VNNI: ONNX Runtime's int8 kernels saturate unless it is told not to."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from edgegap.run import Job, Result, run_job
from edgegap.run.emulate import emulated, set_up
from edgegap.run.emulate.emulation import Emulation
from edgegap.run.local import Local
from edgegap.run.target import Target

from .conftest import ready


@pytest.fixture(scope="module")
def avx2() -> Target:
    return ready("desktop-avx2")


@pytest.fixture
def job(bundle, tmp_path) -> Job:
    images = tmp_path / "images.npy"
    np.save(images, np.random.default_rng(3).integers(0, 256, (64, 8, 8, 1), np.uint8))
    return Job(bundle / "int8.onnx", "onnxruntime", images, np.arange(256, dtype=np.float32)[None] / 255)


def different(a: Result, b: Result) -> int:
    return int((a.outputs != b.outputs).sum())


def test_the_runner_sets_the_option_there_and_no_integer_differs(avx2, job):
    there = run_job(job, emulated(avx2))
    assert [(entry["key"], entry["value"]) for entry in there.session] == list(avx2.session.items())
    assert different(there, run_job(job, Local())) == 0


def test_without_the_option_many_differ(avx2, job):
    """The same CPU, whose flags claim a VNNI that it has not."""
    emulator = replace(avx2.emulator, features=f"{avx2.emulator.features} avx512_vnni")
    liar = replace(avx2, name="liar", emulator=emulator)
    set_up([liar])
    try:
        there = run_job(job, emulated(liar))
    finally:
        shutil.rmtree(Emulation(liar).board().folder)
    assert there.session == []
    assert different(there, run_job(job, Local())) > there.outputs.size / 10
