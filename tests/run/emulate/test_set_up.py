"""Setting up: what the host has to have, and what a broken-off set-up leaves."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from edgegap.cache import cache
from edgegap.errors import DeviceError, DiskError, SettingsError
from edgegap.run.emulate import count_instructions, emulated, is_set_up, set_up
from edgegap.run.target import load_target


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def hide_tools(tmp_path, monkeypatch, *kept: str):
    """A PATH with nothing on it but the tools named."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in kept:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("empty_cache")
def test_a_host_without_debians_tools_is_told_what_to_install(tmp_path, monkeypatch):
    hide_tools(tmp_path, monkeypatch, "tar")
    with pytest.raises(DeviceError, match=r"install: apt dpkg\b"):
        set_up([load_target("pi5")])


@pytest.mark.usefixtures("empty_cache", "pi5")
def test_a_mirror_that_does_not_answer_is_said_so(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(DeviceError, match=r"cannot read the package lists(.|\n)*[Ff]ailed"):
        set_up([load_target("pi5")])


@pytest.mark.usefixtures("empty_cache")
def test_a_board_that_is_not_set_up_names_the_command(tmp_path):
    target = load_target("pi5")
    assert not is_set_up(target)
    with pytest.raises(DeviceError, match="not set up") as error:
        emulated(target)
    assert error.value.hint == "Run: edgegap doctor --setup-emulator"


def test_a_target_that_cannot_be_emulated_is_a_settings_error():
    with pytest.raises(SettingsError, match="'pi5' has no emulator"):
        emulated(replace(load_target("pi5"), emulator=None))
    with pytest.raises(SettingsError, match=r"Python 3\.9, and no Debian release"):
        emulated(replace(load_target("pi5"), python="3.9"))


def test_counting_without_gcc_says_what_to_install(pi5, bundle, tmp_path, monkeypatch):
    """Everything is set up but the plugin."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "edgegap").mkdir()
    hide_tools(tmp_path, monkeypatch)
    with pytest.raises(DeviceError, match="there is no gcc"):
        count_instructions(pi5, bundle / "int8.tflite", "ai-edge-litert")


@pytest.mark.usefixtures("empty_cache", "pi5")
def test_ctrl_c_in_a_download_leaves_nothing_half():
    """The progress after the first 0 % comes out of the package download."""
    program = """
from edgegap.run.emulate import set_up
from edgegap.run.target import load_target
set_up([load_target("pi5")], lambda stage, done, total: print(stage, done, flush=True))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Debian")
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == -signal.SIGINT
    assert [path.name for path in cache("emulator").iterdir()] == ["lock"]


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A cache with 20 MiB of room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_a_disk_error_that_names_the_cache_and_leaves_nothing_half(pi5, small_disk):
    with pytest.raises(DiskError, match="no space left") as error:
        set_up([pi5])
    assert error.value.where == str(cache("emulator"))
    assert [path.name for path in cache("emulator").iterdir()] == ["lock"]
