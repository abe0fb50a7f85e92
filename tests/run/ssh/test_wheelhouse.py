"""Wheels for another machine, chosen from a folder."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.tags import sys_tags

from edgegap.errors import InputError
from edgegap.run.ssh.facts import Facts
from edgegap.run.ssh.wheelhouse import _tags, choose_wheels

from .wheels import write_wheel

PI = Facts(
    python="3.11.2",
    executable="/usr/bin/python3",
    venv=True,
    numpy=False,
    system="Debian GNU/Linux 12 (bookworm)",
    machine="aarch64",
    glibc="2.36",
    cpu="",
    model="Raspberry Pi 5 Model B Rev 1.0",
    features=[],
    cores=4,
    memory_mib=4096,
    free_mib=1000,
    root="/home/pi/.cache/edgegap",
    writable=True,
    environments=[],
)


def names(folder: Path, *requirements: str, facts: Facts = PI, provided: tuple[str, ...] = ()) -> list[str]:
    return sorted(path.name for path in choose_wheels(folder, requirements, facts, provided))


def test_tags_are_those_that_pip_has_on_this_machine() -> None:
    libc, version = platform.libc_ver()
    if libc != "glibc":
        pytest.skip("this machine's C library is not glibc")
    here = replace(PI, python=platform.python_version(), machine=platform.machine(), glibc=version)
    mine, pips = _tags(here), list(sys_tags())
    assert set(mine) == set(pips)
    assert [tag for tag in pips if "cp311" in tag.interpreter] == [tag for tag in mine if "cp311" in tag.interpreter]


def test_platform_python_and_version_are_the_devices(tmp_path: Path) -> None:
    right = write_wheel(tmp_path, "onnxruntime", "1.32.0", "cp311-cp311-manylinux_2_28_aarch64")
    for tag in ("cp311-cp311-manylinux_2_28_x86_64", "cp312-cp312-manylinux_2_28_aarch64", "cp311-cp311-win_amd64"):
        write_wheel(tmp_path, "onnxruntime", "1.32.0", tag)
    write_wheel(tmp_path, "onnxruntime", "1.30.0", "cp311-cp311-manylinux_2_28_aarch64")
    write_wheel(
        tmp_path, "onnxruntime", "1.33.0", "cp311-cp311-manylinux_2_39_aarch64"
    )  # a newer glibc than Debian 12's
    assert names(tmp_path, "onnxruntime==1.32.0") == [right.name]
    assert names(tmp_path, "onnxruntime") == [right.name]


def test_what_a_wheel_requires_comes_along(tmp_path: Path) -> None:
    needs = ["numpy>=1.21", "flatbuffers", "ml_dtypes; extra == 'quantization'", "tomli; python_version < '3.11'"]
    write_wheel(tmp_path, "onnxruntime", "1.32.0", requires=needs)
    for version in ("1.20", "1.26", "2.0"):
        write_wheel(tmp_path, "numpy", version)
    write_wheel(tmp_path, "flatbuffers", "25.1")
    chosen = names(tmp_path, "onnxruntime==1.32.0")
    assert [name.split("-")[:2] for name in chosen] == [
        ["flatbuffers", "25.1"],
        ["numpy", "2.0"],
        ["onnxruntime", "1.32.0"],
    ]


def test_what_the_system_provides_is_not_needed(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "tflite-runtime", "2.14.0", "cp311-cp311-manylinux_2_34_armv7l", ["numpy>=1.23.2"])
    assert names(tmp_path, "tflite-runtime==2.14.0", facts=replace(PI, machine="armv7l"), provided=("numpy",)) == [
        wheel.name
    ]


def test_all_that_is_missing_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    write_wheel(tmp_path, "onnxruntime", "1.32.0", requires=["numpy>=1.21", "protobuf"])
    with pytest.raises(InputError, match=r"no wheel of numpy>=1.21, protobuf for Python 3.11.2 on aarch64") as raised:
        choose_wheels(tmp_path, ["onnxruntime==1.32.0"], PI)
    assert raised.value.hint is not None
    assert "--platform=manylinux_2_28_aarch64 " in raised.value.hint
    assert "'numpy>=1.21' protobuf" in raised.value.hint


@pytest.mark.parametrize(
    ("file", "words"), [("numpy.whl", "is not named as a wheel is"), ("numpy-2.0-py3-none-any.whl", "is not a wheel")]
)
def test_files_that_are_no_wheels_are_named(tmp_path: Path, file: str, words: str) -> None:
    (tmp_path / file).write_bytes(b"no zip")
    with pytest.raises(InputError, match=words):
        choose_wheels(tmp_path, ["numpy"], PI)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        choose_wheels(tmp_path / "none", ["numpy"], PI)
