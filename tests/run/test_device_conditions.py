"""What sysfs and vcgencmd say, from files and a program as a Raspberry Pi has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgegap.run.conditions import conditions, governor

NOTHING = {"khz": None, "millicelsius": None, "get_throttled": None, "cooling": None, "throttle_count": None}


def write(sys: Path, **files: str) -> None:
    """Files of sysfs; two underscores stand for a slash."""
    for name, text in files.items():
        path = sys / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def program(path: Path, text: str) -> str:
    """A program that prints `text` for its word get_throttled, and fails without it."""
    path.write_text(f'#!/bin/sh\n[ "$1" = get_throttled ] && echo "{text}"\n')
    path.chmod(0o755)
    return str(path)


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert conditions(tmp_path, "no-such-program") == NOTHING
    assert governor(tmp_path) is None


def test_a_raspberry_pi(tmp_path: Path) -> None:
    write(
        tmp_path,
        devices__system__cpu__cpufreq__policy0__scaling_cur_freq="1500000",
        devices__system__cpu__cpufreq__policy0__scaling_governor="ondemand",
        class__thermal__thermal_zone0__type="cpu-thermal",
        class__thermal__thermal_zone0__temp="61234",
        class__thermal__thermal_zone1__type="rp1_adc",
        class__thermal__thermal_zone1__temp="99000",
        class__thermal__cooling_device0__type="pwm-fan",
        class__thermal__cooling_device0__cur_state="3",
    )
    vcgencmd = program(tmp_path / "vcgencmd", "throttled=0x50005")
    told = {"khz": 1_500_000, "millicelsius": 61_234, "get_throttled": 0x50005}
    assert conditions(tmp_path, vcgencmd) == NOTHING | told
    assert governor(tmp_path) == "ondemand"


def test_clusters_of_a_board_without_firmware_tools(tmp_path: Path) -> None:
    write(
        tmp_path,
        devices__system__cpu__cpufreq__policy0__scaling_cur_freq="600000",
        devices__system__cpu__cpufreq__policy4__scaling_cur_freq="1800000",
        class__thermal__thermal_zone0__type="soc-thermal",
        class__thermal__thermal_zone0__temp="85000",
        class__thermal__cooling_device0__type="cpufreq-cpu0",
        class__thermal__cooling_device0__cur_state="2",
    )
    told = {"khz": 1_800_000, "millicelsius": 85_000, "cooling": 2}
    assert conditions(tmp_path, "no-such-program") == NOTHING | told


def test_an_x86_cpu_counts_how_often_it_throttled(tmp_path: Path) -> None:
    write(
        tmp_path,
        devices__system__cpu__cpu0__thermal_throttle__core_throttle_count="4",
        devices__system__cpu__cpu0__thermal_throttle__package_throttle_count="5",
        devices__system__cpu__cpu1__thermal_throttle__core_throttle_count="1",
    )
    assert conditions(tmp_path, "no-such-program")["throttle_count"] == 10


@pytest.mark.parametrize("text", ["", "error=1 error_msg=Command not registered", "throttled=", "VCHI failed"])
def test_an_answer_that_is_none_is_none(tmp_path: Path, text: str) -> None:
    answer = conditions(tmp_path, program(tmp_path / "vcgencmd", text))["get_throttled"]
    assert answer is None
