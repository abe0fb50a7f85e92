"""Many jobs on several devices: the answers are those of one device, whatever happens to some of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgegap.errors import InputError, RuntimeFailure
from edgegap.run import Job, Local, run_job
from edgegap.run.pool import Batch, run_batches
from edgegap.run.shards import join, split

BROKEN = ("sh", "-c", "echo out of order >&2; exit 4")


@pytest.fixture
def job(onnx_net, pixels, table) -> Job:
    return Job(onnx_net(), "onnxruntime", pixels(7), table)


def broken() -> Local:
    return Local(place="a broken device", python=lambda _: BROKEN)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 99])
def test_a_job_in_shards_gives_what_it_gives_whole(job, parts, tmp_path):
    jobs = split(job, parts, tmp_path)
    assert len(jobs) == min(parts, 7)
    (pooled,) = run_batches([Batch(jobs, [Local(), Local()])])
    np.testing.assert_array_equal(join(pooled.results).outputs, run_job(job, Local()).outputs)


def test_a_device_that_fails_hands_its_jobs_to_the_others(job, tmp_path):
    expected = run_job(job, Local()).outputs
    (pooled,) = run_batches([Batch(split(job, 4, tmp_path), [broken(), Local(), broken()])])
    np.testing.assert_array_equal(join(pooled.results).outputs, expected)
    assert all("out of order" in str(error) for _, error in pooled.lost)
    assert {device.place for device, _ in pooled.lost} == {"a broken device"}


def test_the_last_device_that_fails_tells_why(job, tmp_path):
    with pytest.raises(RuntimeFailure, match="broke off while loading"):
        run_batches([Batch(split(job, 4, tmp_path), [broken(), broken()]), Batch([job], [Local()])])


def test_a_mistake_in_a_job_is_told_and_no_device_is_blamed(job):
    with pytest.raises(InputError, match="nowhere"):
        run_batches([Batch([replace(job, tensors=("nowhere",)), job, job], [Local(), Local()])])


def test_progress_counts_the_images_of_all_jobs_and_never_more(job, tmp_path):
    seen: list[tuple[int, int]] = []
    jobs = [*split(job, 3, tmp_path), job]
    run_batches([Batch(jobs[:2], [Local()]), Batch(jobs[2:], [Local()])], lambda *counts: seen.append(counts))
    assert seen[-1] == (14, 14)
    assert all(done <= total == 14 for done, total in seen)


def test_what_was_done_is_not_run_again(job, tmp_path):
    kept = tmp_path / "kept"
    (first,) = run_batches([Batch([job], [Local()])], folder=kept)
    (again,) = run_batches([Batch([job], [broken()])], folder=kept)
    np.testing.assert_array_equal(again.results[0].outputs, first.results[0].outputs)
    (output,) = kept.glob("*/0.raw")
    output.write_bytes(output.read_bytes()[::-1])
    (anew,) = run_batches([Batch([job], [Local()])], folder=kept)
    np.testing.assert_array_equal(anew.results[0].outputs, first.results[0].outputs)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_ctrl_c_ends_every_device(job, long_pixels):
    program = f"""
import threading
from pathlib import Path
import numpy as np
from edgegap.run import Job, Local
from edgegap.run.pool import Batch, run_batches
table = np.zeros((3, 256), np.float32)
job = Job(Path({str(job.artifact)!r}), "onnxruntime", Path({str(long_pixels)!r}), table)
run_batches([Batch([job] * 3, [Local(), Local()]), Batch([job], [Local()])], lambda *_: print("on", flush=True))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as host:
        assert host.stdout is not None
        for _ in range(20):
            assert host.stdout.readline() == "on\n"
        runners = [child for child in Path("/proc").glob("[0-9]*") if _parent(child) == host.pid]
        assert runners
        host.send_signal(signal.SIGINT)
        _, errors = host.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert not [child for child in runners if _parent(child) in (host.pid, os.getpid(), 1)]


def _parent(process: Path) -> int | None:
    """The parent's number, None for a process that is gone."""
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
