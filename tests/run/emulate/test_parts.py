"""Parts of the emulator: whole or absent, made once, whatever else runs and however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgegap.cache import cache
from edgegap.errors import DeviceError, DiskError
from edgegap.run.emulate.commands import run
from edgegap.run.emulate.parts import Part, make_all


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def written(name: str = "part", *, slow: bool = False) -> Part:
    """A part that notes, beside the cache, each time it is made."""

    def make(folder, progress):
        with open(cache("emulator").parent / "made", "a", encoding="ascii") as log:
            log.write(f"{name}\n")
        (folder / "half").touch()
        if slow:
            time.sleep(1)
        (folder / "whole").touch()

    return Part(name, ("recipe",), make)


def failing(error: BaseException) -> Part:
    def make(folder, progress):
        (folder / "half").touch()
        raise error

    return Part("failing", (), make)


def made() -> list[str]:
    return (cache("emulator").parent / "made").read_text().split()


def test_a_part_is_made_once_and_kept():
    make_all([written(), written()])
    make_all([written()])
    assert made() == ["part"]
    assert (written().folder / "whole").is_file()


def test_another_recipe_is_another_part():
    assert Part("root", ("bookworm",), print).folder != Part("root", ("trixie",), print).folder


@pytest.mark.parametrize("error", [DeviceError("no mirror"), KeyboardInterrupt(), OSError(28, "No space left")])
def test_what_fails_half_way_leaves_nothing_and_keeps_the_parts_before(error):
    expected = DiskError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        make_all([written(), failing(error)])
    assert sorted(path.name for path in cache("emulator").iterdir()) == sorted(["lock", written().folder.name])


def test_two_processes_at_once_make_each_part_once():
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=make_all, args=([written(slow=True), written("second")],)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert made() == ["part", "second"]


def test_what_a_killed_process_left_is_removed():
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=make_all, args=([written(slow=True)],))
    process.start()
    while not list(cache("emulator").glob(".*.partial/half")):
        time.sleep(0.01)
    process.kill()
    process.join()
    assert list(cache("emulator").glob(".*.partial"))
    make_all([written()])
    assert not list(cache("emulator").glob(".*.partial"))
    assert (written().folder / "whole").is_file()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_a_disk_error(own_cache):
    own_cache.chmod(0o500)
    with pytest.raises(DiskError, match="Permission denied"):
        make_all([written()])


def test_a_cache_in_a_file_is_a_disk_error(own_cache, monkeypatch):
    (own_cache / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(own_cache / "file"))
    with pytest.raises(DiskError, match="Not a directory") as error:
        make_all([written()])
    assert "XDG_CACHE_HOME" in (error.value.hint or "")


def test_a_tool_that_runs_out_of_room_is_a_disk_error(own_cache):
    with pytest.raises(DiskError, match="no space left") as error:
        run("copy", ["cp", sys.executable, "/dev/full"])
    assert error.value.where == str(cache("emulator"))


def test_a_tool_that_fails_or_is_missing_is_quoted(own_cache):
    with pytest.raises(DeviceError, match=r"cannot list(.|\n)*/nowhere"):
        run("list", ["ls", "/nowhere"])
    with pytest.raises(DeviceError, match="no-such-tool: cannot list"):
        run("list", ["no-such-tool"])


def test_an_interrupt_ends_the_tool_that_runs(own_cache):
    program = (
        "from edgegap.run.emulate.commands import run; "
        "run('wait', ['sh', '-c', 'echo $$; exec sleep 60'], on_line=lambda x: print(x, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        tool = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.wait()
    assert not Path(f"/proc/{tool}").exists()
