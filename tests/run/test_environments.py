"""tflite-runtime's environment on this machine: made once and whole, or a sentence why not."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgegap.errors import DiskError, RuntimeFailure
from edgegap.run.environments import python_for

VERSIONS = """
import json, sys, numpy
from importlib.metadata import version
import tflite_runtime.interpreter
print(json.dumps([numpy.__version__, version("tflite-runtime"), sys.version_info[:2], sys.path]))
"""

WHEELS = platform.system() == "Linux" and platform.machine() in ("x86_64", "aarch64")
needs_wheels = pytest.mark.skipif(not WHEELS, reason="tflite-runtime has wheels for Linux on x86-64 and AArch64 only")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edgegap" / "environments"


@pytest.mark.parametrize("runtime", ["onnxruntime", "ai-edge-litert"])
def test_other_runtimes_run_in_this_interpreter(runtime: str, cache: Path) -> None:
    assert python_for(runtime) == [sys.executable]
    assert not cache.exists()


@needs_wheels
def test_two_that_ask_at_once_get_the_same_whole_environment_and_it_is_kept(cache: Path) -> None:
    told: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        a, b = pool.map(lambda _: python_for("tflite-runtime", lambda stage, *_: told.append(stage)), range(2))
    assert a == b
    assert told
    numpy, tflite, python, path = json.loads(
        subprocess.run([*a, "-I", "-c", VERSIONS], capture_output=True, text=True, check=True).stdout
    )
    assert numpy.startswith("1.")
    assert tflite == "2.14.0"
    assert [3, 10] <= python <= [3, 11]
    assert not any(
        "ai_edge_litert" in str(child) for entry in path if Path(entry).is_dir() for child in Path(entry).iterdir()
    )
    assert [folder.name for folder in cache.iterdir()] == [Path(a[0]).parents[1].name]
    told.clear()
    assert python_for("tflite-runtime", lambda stage, *_: told.append(stage)) == a
    assert not told


@needs_wheels
def test_without_internet_it_says_so_and_leaves_nothing_behind(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(RuntimeFailure, match="cannot install it") as caught:
        python_for("tflite-runtime")
    assert "ERROR" in str(caught.value.hint)
    assert not list(cache.iterdir())


@needs_wheels
def test_a_cache_that_cannot_be_written_is_a_disk_error(cache: Path) -> None:
    cache.parent.parent.mkdir(exist_ok=True)
    cache.parent.write_text("a file where a folder should be")
    with pytest.raises(DiskError, match="XDG_CACHE_HOME"):
        python_for("tflite-runtime")


def test_without_a_python_that_has_the_wheel_it_says_which_to_install(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tmp_path / "python3.14"
    newer.write_text("#!/bin/sh\necho 3.14 $0\n")
    newer.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(newer))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeFailure) as caught:
        python_for("tflite-runtime")
    assert "tflite-runtime" in caught.value.what
    assert "ai-edge-litert" in str(caught.value.hint)
    assert not cache.exists()
