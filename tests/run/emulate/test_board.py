"""An emulated board is what its profile says, in the eyes of a program that runs there."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from edgegap.errors import DeviceError
from edgegap.run import Job, run_job
from edgegap.run.emulate import emulated
from edgegap.run.emulate.emulation import Emulation
from edgegap.run.local import Local
from edgegap.run.target import load_target

FILES = {"onnxruntime": "int8.onnx", "ai-edge-litert": "int8.tflite", "tflite-runtime": "int8.tflite"}


def inside(target, runtime: str, code: str):
    """What a program that prints JSON says on the board."""
    command = [*Emulation(target).python(runtime), "-I", "-c", f"import json, sys, os, platform\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_programs_see_the_boards_processor(pi5):
    code = "print(json.dumps([platform.machine(), open('/proc/cpuinfo').read(), sys.version_info[:2]]))"
    machine, cpuinfo, version = inside(pi5, "onnxruntime", code)
    assert machine == "aarch64"
    assert version == [3, 11]
    assert cpuinfo.count("processor\t: ") == pi5.cores
    assert f"Features\t: {pi5.emulator.features}\n" in cpuinfo
    assert f"CPU part\t: {pi5.emulator.part:#x}\n" in cpuinfo
    assert f"Model\t\t: {pi5.emulator.model}\n" in cpuinfo


@pytest.mark.parametrize("runtime", FILES)
def test_an_environment_holds_its_own_runtime_and_no_other(pi5, runtime):
    code = """
from importlib.metadata import distributions
names = {found.name.lower().replace('_', '-'): found.version for found in distributions()}
print(json.dumps([names, sys.path]))"""
    names, path = inside(pi5, runtime, code)
    assert names.keys() & FILES.keys() == {runtime}
    assert names[runtime] == pi5.runtimes[runtime]
    assert names["numpy"].startswith("1." if runtime == "tflite-runtime" else "2.")
    assert not [entry for entry in path if entry.startswith("/usr")], "the host's libraries would be found"


@pytest.mark.parametrize("runtime", ["onnxruntime", "ai-edge-litert"])
def test_a_board_gives_the_desktops_integers(pi5, bundle, tmp_path, runtime):
    artifact = bundle / FILES[runtime]
    images = tmp_path / "images.npy"
    np.save(images, np.random.default_rng(3).integers(0, 256, (64, 8, 8, 1), np.uint8))
    job = Job(artifact, runtime, images, np.arange(256, dtype=np.float32)[None] / 255)
    here, there = run_job(job, Local()), run_job(job, emulated(pi5))
    assert (there.machine, there.version, there.undelegated) == ("aarch64", pi5.runtimes[runtime], [])
    assert len(np.unique(here.outputs)) > 10
    np.testing.assert_array_equal(there.outputs, here.outputs)


def test_what_breaks_there_is_told_as_it_is_here(pi5, bundle, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network" * 9)
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((1, 8, 8, 1), np.uint8))
    with pytest.raises(DeviceError, match=r"broken\.onnx: onnxruntime cannot load it"):
        run_job(Job(broken, "onnxruntime", images, np.zeros((1, 256), np.float32)), emulated(pi5))


def test_a_runtime_that_a_target_lacks_is_refused():
    with pytest.raises(DeviceError, match="onnxruntime does not run on armv7") as error:
        Emulation(load_target("armv7")).python("onnxruntime")
    assert error.value.hint == "These do: tflite-runtime."
