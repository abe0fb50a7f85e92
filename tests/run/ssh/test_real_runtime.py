"""A real job in a real runtime, in an environment that the board's pip makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli.harness import edgegap, write_npz, write_onnx

from edgegap.errors import DeviceError, RuntimeFailure
from edgegap.run.job import Job, run_job
from edgegap.run.local import Local
from edgegap.run.ssh import Ssh

from .server import Board

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def real_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of a board whose environment pip makes, once."""
    return tmp_path_factory.mktemp("real")


def test_a_job_gives_what_it_gives_here_and_an_altered_file_is_refused_once(
    boards: Callable[..., Board],
    connect: Callable[..., Ssh],
    real_home: Path,
    onnx_net: Make,
    pixels: Make,
    table: np.ndarray,
) -> None:
    board = boards(real_home)
    job = Job(onnx_net(), "onnxruntime", pixels(30), table)
    device = connect(wheelhouse=None)
    try:
        there = run_job(job, device)
    except RuntimeFailure as error:
        if "no internet" in str(error):
            pytest.skip(f"pip reaches no index here: {error.hint}")
        raise
    here = run_job(job, Local())
    np.testing.assert_array_equal(there.outputs, here.outputs)
    assert (there.machine, there.session) == (here.machine, here.session)
    assert [path.name for path in (board.cache / "jobs").iterdir() if path.is_dir()] == []

    (uploaded,) = [
        path for path in (board.cache / "files").iterdir() if path.stat().st_size == job.artifact.stat().st_size
    ]
    altered = bytearray(uploaded.read_bytes())
    altered[-1] ^= 1
    uploaded.write_bytes(altered)
    with pytest.raises(DeviceError, match="sha256 differs"):
        run_job(job, device)
    np.testing.assert_array_equal(run_job(job, device).outputs, here.outputs)


def test_three_devices_give_the_record_that_one_gives(
    boards: Callable[..., Board], real_home: Path, tmp_path: Path
) -> None:
    boards(real_home)
    network, data = write_onnx(tmp_path / "tiny.onnx"), write_npz(tmp_path / "data.npz", 100)
    bundle = tmp_path / "bundle"
    made = edgegap("export", network, "--int8", "--calib", data, "--preprocess", "unit", "-o", bundle)
    assert made.status == 0, made.err
    call = ("check", bundle, "--data", data, "--target", "desktop", "--runtime", "onnxruntime", "--json", "-")
    one = edgegap(*call, "--host", "board")
    if "no internet" in one.err:
        pytest.skip(f"pip reaches no index here: {one.err}")
    assert one.status == 0, one.err
    three = edgegap(*call, "--host", "board", "--host", "board2", "--host", "board3")
    assert three.status == 0, three.err
    assert three.record | {"date": ""} == one.record | {"date": ""}
    targets = [(entry["targets"], entry["different"], entry["bound_lsb"]) for entry in one.record["identity"]]
    assert targets == [(["desktop", "desktop"], 0, 0), (["desktop", "desktop over ssh"], 0, 0)]
    assert [device["target"] for device in one.record["devices"]] == ["desktop over ssh"]
