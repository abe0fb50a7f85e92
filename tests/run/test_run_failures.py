from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgegap.errors import DataError, DeviceError, DiskError, InputError, ModelError, RuntimeFailure
from edgegap.run import Job, Local, Task, run_job

LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A temporary directory of the test's own, empty again when the test is over."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def children(parent: int) -> list[int]:
    """Processes started by `parent` that are not yet gone."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(ppid) == parent and state != "Z":
            found.append(int(stat.parent.name))
    return found


def limited(limit: str) -> tuple[str, ...]:
    """This interpreter under one of the shell's limits."""
    return ("sh", "-c", f'ulimit {limit}; exec "$0" "$@"', sys.executable)


@pytest.fixture
def job(onnx_net, pixels, table):
    return Job(onnx_net(), "onnxruntime", pixels(3), table)


@pytest.mark.parametrize("runtime", ["onnxruntime", "ai-edge-litert"])
@pytest.mark.parametrize("content", [b"", b"not a model at all" * 99])
def test_an_artifact_that_is_none_is_a_runtime_failure_that_names_it(job, runtime, content):
    job.artifact.write_bytes(content)
    with pytest.raises(RuntimeFailure) as error:
        run_job(replace(job, runtime=runtime), Local())
    assert error.value.where == str(job.artifact)
    assert runtime in error.value.what


def test_files_that_are_not_there_are_named(job, tmp_path):
    with pytest.raises(ModelError, match=r"none\.onnx"):
        run_job(replace(job, artifact=tmp_path / "none.onnx"), Local())
    with pytest.raises(DataError, match=r"none\.npy"):
        run_job(replace(job, inputs=tmp_path / "none.npy"), Local())


def test_inputs_that_do_not_fit_are_refused_with_both_sides_named(job, tflite_net, onnx_net, table, tmp_path):
    def refuses(other: Job, words: str) -> None:
        with pytest.raises(InputError, match=words):
            run_job(other, Local())

    refuses(replace(job, artifact=onnx_net(1, "uint8")), r"takes uint8 \[1, 3, 4, 5\], not float32 \[1, 3, 4, 5\]")
    refuses(replace(job, table=None), r"takes float32 \[1, 3, 4, 5\], not uint8 \[1, 4, 5, 3\]")
    refuses(replace(job, table=table[:2]), r"\[2, 256\] needs uint8 pixels \[n, H, W, 2\]")
    refuses(replace(job, tensors=("nowhere",)), "nowhere")
    refuses(replace(job, artifact=onnx_net(2), batch=3), "its batch is 2, and the job asks for 3")
    lite = replace(job, artifact=tflite_net(), runtime="ai-edge-litert")
    refuses(replace(lite, tensors=("nowhere",)), "nowhere")
    refuses(replace(lite, optimized=True), "only ONNX Runtime")
    refuses(replace(job, runtime="tensorrt"), "no runtime is named 'tensorrt'")
    for name, content in {"text": b"1 2 3", "empty": b""}.items():
        (tmp_path / name).write_bytes(content)
        refuses(replace(job, inputs=tmp_path / name), "is not a .npy file")
    np.save(tmp_path / "none.npy", np.zeros((0, 4, 5, 3), np.uint8))
    refuses(replace(job, inputs=tmp_path / "none.npy"), "not a batch of images")


@dataclass(frozen=True)
class ChangedUnderway(Job):
    """A job whose artifact is rewritten after the host took its hash."""

    def task(self) -> Task:
        return RewrittenUnderway(**vars(super().task()))


class RewrittenUnderway(Task):
    def text(self, paths: dict[str, str] | None = None) -> str:
        text = super().text(paths)
        self.files["artifact"].write_bytes(b"something else")
        return text


def test_an_artifact_that_changes_under_way_is_not_run(job):
    with pytest.raises(DeviceError, match="sha256 differs") as error:
        run_job(ChangedUnderway(**vars(job)), Local())
    assert error.value.where == str(job.artifact)


@pytest.mark.parametrize("runtime", ["onnxruntime", "ai-edge-litert"])
def test_a_runtime_that_is_not_installed_is_named_with_the_package_to_install(job, tmp_path, runtime):
    venv.create(tmp_path / "bare", with_pip=False)
    (site,) = (tmp_path / "bare").glob("lib/python*/site-packages")
    numpy = Path(np.__file__).parent
    for folder in (numpy, numpy.with_name("numpy.libs")):
        if folder.exists():
            (site / folder.name).symlink_to(folder)
    with pytest.raises(RuntimeFailure, match="cannot be imported") as error:
        run_job(replace(job, runtime=runtime), Local(python=lambda _: (str(tmp_path / "bare" / "bin" / "python"),)))
    assert f"pip install {runtime}" in (error.value.hint or "")


def test_an_interpreter_that_is_not_there_is_named(job):
    with pytest.raises(RuntimeFailure, match="nowhere/python"):
        run_job(job, Local(python=lambda _: ("/nowhere/python",)))


def test_what_an_interpreter_prints_first_does_no_harm_and_what_broke_it_is_quoted(job):
    result = run_job(job, Local(python=lambda _: ("sh", "-c", 'echo welcome; exec "$0" "$@"', sys.executable)))
    assert len(result.outputs) == 3
    with pytest.raises(RuntimeFailure, match="no such luck"):
        run_job(job, Local(python=lambda _: ("sh", "-c", "echo no such luck >&2; exit 4")))


@LINUX
@pytest.mark.parametrize(("number", "words"), [(signal.SIGKILL, "out of memory"), (signal.SIGSEGV, "SIGSEGV")])
def test_a_runner_that_is_killed_is_a_runtime_failure(job, long_pixels, number, words):
    def kill(event):
        if event["event"] == "ready":
            (child,) = children(os.getpid())
            os.kill(child, number)

    with pytest.raises(RuntimeFailure, match=words):
        run_job(replace(job, inputs=long_pixels), Local(), kill)


def test_a_shells_137_is_a_kill_as_well(job):
    with pytest.raises(RuntimeFailure, match="killed: probably out of memory"):
        run_job(job, Local(python=lambda _: ("sh", "-c", "exit 137")))


def test_more_memory_than_there_is_is_said_so(job, tmp_path):
    """The graph asks for 4 TiB."""
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Mul", ["shape", "many"], ["large"]),
            helper.make_node("ConstantOfShape", ["large"], ["zeros"]),
            helper.make_node("ReduceSum", ["zeros"], ["y"]),
        ],
        "huge",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("many", TensorProto.INT64, [4], [1, 1 << 12, 1 << 12, 1 << 12])],
    )
    huge = tmp_path / "huge.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), huge)
    with pytest.raises(RuntimeFailure, match="out of memory"):
        run_job(replace(job, artifact=huge), Local())


def test_a_disk_that_fills_up_is_a_disk_error(job, long_pixels):
    with pytest.raises(DiskError, match="File too large"):
        run_job(replace(job, inputs=long_pixels), Local(python=lambda _: limited("-f 16")))


def test_a_temporary_directory_that_is_not_there_is_a_disk_error(job, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(DiskError, match="/nowhere"):
        run_job(job, Local())


@LINUX
def test_a_listener_that_raises_leaves_nothing_behind(job, long_pixels):
    def fail(event):
        raise OSError("the listener's own")

    with pytest.raises(OSError, match="the listener's own"):
        run_job(replace(job, inputs=long_pixels), Local(), fail)
    assert children(os.getpid()) == []


@LINUX
def test_ctrl_c_leaves_no_process_and_no_file(job, long_pixels, temporary):
    program = f"""
from pathlib import Path
import numpy as np
from edgegap.run import Job, Local, Task, run_job
table = np.zeros((3, 256), np.float32)
job = Job(Path({str(job.artifact)!r}), "onnxruntime", Path({str(long_pixels)!r}), table)
run_job(job, Local(), lambda event: print(event["event"], flush=True))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout is not None
        assert host.stderr is not None
        assert host.stdout.readline() == "ready\n"
        (runner,) = children(host.pid)
        assert len(list(temporary.iterdir())) == 1
        host.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in host.stderr.read()
    assert host.returncode == -signal.SIGINT
    assert list(temporary.iterdir()) == []
    assert not Path(f"/proc/{runner}").exists()
