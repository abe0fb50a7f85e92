from __future__ import annotations

import ast
import platform
import subprocess
import sys

import numpy as np
import pytest

from edgegap.run import Job, Local, run_job
from edgegap.run.job import RUNNER
from edgegap.run.runner import why_exact_kernels

HASWELL = "fma avx avx2 bmi2"


def test_the_runner_needs_the_standard_library_and_numpy_alone():
    imported = set()
    for node in ast.walk(ast.parse(RUNNER.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy"}


def test_the_runner_is_python_3_10():
    ast.parse(RUNNER.read_text(), feature_version=(3, 10))


def test_importing_the_package_imports_no_runtime():
    program = "import sys, edgegap.run; print({'torch', 'onnx', 'onnxruntime', 'ai_edge_litert'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def test_onnx_runtime_leaves_no_trace_of_its_telemetry(onnx_net, pixels, table, tmp_path):
    """Its uploader keeps a session file in TMPDIR and a device id under HOME."""
    (tmp_path / "home").mkdir()
    home = str(tmp_path / "home")
    clean = ("env", "-i", f"HOME={home}", f"TMPDIR={home}", sys.executable)
    run_job(Job(onnx_net(), "onnxruntime", pixels(1), table), Local(python=lambda _: clean))
    assert list((tmp_path / "home").rglob("*")) == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the option exists for x86")
@pytest.mark.parametrize(
    ("flags", "needed"),
    [(HASWELL, True), (f"{HASWELL} avx512_vnni", False), (f"{HASWELL} avx_vnni", False), ("sse4_1 avx", False)],
)
def test_exact_kernels_are_asked_for_where_avx2_comes_without_vnni(tmp_path, flags, needed):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\nbugs\t\t: avx_vnni\n")
    assert bool(why_exact_kernels(cpuinfo)) is needed


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the option exists for x86")
def test_exact_kernels_are_asked_for_where_the_cpu_cannot_be_seen(tmp_path):
    assert "cannot be read" in (why_exact_kernels(tmp_path / "none") or "")


def test_the_session_says_which_option_was_set_and_why(onnx_net, pixels, table):
    result = run_job(Job(onnx_net(), "onnxruntime", pixels(1), table), Local())
    why = why_exact_kernels()
    expected = [{"key": "session.x64quantprecision", "value": "1", "why": why}] if why else []
    assert result.session == expected


def test_a_job_cut_off_goes_on_where_it_stopped(onnx_net, pixels, table, drive, tmp_path):
    job = Job(onnx_net(2, tapped=True), "onnxruntime", pixels(9), table, tensors=("maps",))
    folder = tmp_path / "elsewhere"
    whole = drive(job.task().text())[-1]
    for file in whole["files"]:  # as if the power had gone in the middle of writing the sixth image
        path = folder / file["file"]
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 11 // 18])
    for done, first in (("4", 6), ("9", 9), ("", 2), ("-3", 2)):
        (folder / "done.txt").write_text(done)
        events = drive(job.task().text())
        assert events[-1]["files"] == whole["files"]
        assert events[1]["done"] == first


def test_a_job_whose_images_are_gone_begins_anew_the_next_time(onnx_net, pixels, table, drive, tmp_path):
    job = Job(onnx_net(), "onnxruntime", pixels(3), table)
    (tmp_path / "elsewhere" / "done.txt").write_text("2")
    event = drive(job.task().text())[-1]
    assert (event["kind"], event["message"]) == ("input", "holds 0 images and not 2: run it again, from the beginning")
    assert drive(job.task().text())[-1]["event"] == "done"


def test_paths_beside_job_json_are_found_there(onnx_net, pixels, table, drive, tmp_path):
    job = Job(onnx_net(), "onnxruntime", pixels(3), table)
    job.artifact.rename(tmp_path / "elsewhere" / "a.onnx")
    (tmp_path / "elsewhere" / "i.npy").write_bytes(job.inputs.read_bytes())
    job = Job(tmp_path / "elsewhere" / "a.onnx", "onnxruntime", job.inputs, table)
    assert drive(job.task().text({"artifact": "a.onnx", "inputs": "i.npy"}))[-1]["event"] == "done"


@pytest.mark.parametrize("changed", ["artifact", "inputs"])
def test_a_file_that_is_not_the_hosts_is_refused_by_name(onnx_net, pixels, table, drive, changed):
    job = Job(onnx_net(), "onnxruntime", pixels(3), table)
    text = job.task().text()
    path = getattr(job, changed)
    path.write_bytes(path.read_bytes() + b"x")
    (event,) = drive(text)
    assert (event["event"], event["kind"], event["where"]) == ("error", "hash", str(path))


def test_a_runner_that_nobody_listens_to_ends(onnx_net, long_pixels, table, tmp_path):
    (tmp_path / "job.json").write_text(Job(onnx_net(), "onnxruntime", long_pixels, table).task().text())
    command = [sys.executable, "-I", str(RUNNER), str(tmp_path / "job.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert b"ready" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) != 0
    assert (tmp_path / "0.raw").stat().st_size < 1_000_000 * 4 * np.dtype(np.float32).itemsize
