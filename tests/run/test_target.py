"""Target profiles: those of the repository are whole and true to their wheels, and a wrong one is told where."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgegap.errors import SettingsError
from edgegap.resources import resource, resource_names
from edgegap.run.target import RUNTIMES, load_target

PI5 = resource("targets", "pi5").read_text(encoding="utf-8")


def wrong(tmp_path: Path, old: str, new: str) -> SettingsError:
    assert PI5.count(old) == 1
    path = tmp_path / "mine.toml"
    path.write_text(PI5.replace(old, new), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_target(str(path))
    return caught.value


def line(text: str) -> int:
    return PI5.splitlines().index(text) + 1


def test_the_boards_of_the_readme_have_profiles() -> None:
    assert {"desktop", "desktop-avx2", "pi-zero-2w", "pi3", "pi4", "pi5", "armv7"} <= set(resource_names("targets"))


@pytest.mark.parametrize("name", resource_names("targets"))
def test_every_profile_loads_and_names_its_sources(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    assert any("https://" in source for source in target.sources)
    assert set(target.runtimes) <= set(RUNTIMES)


@pytest.mark.parametrize("name", ["pi-zero-2w", "pi3", "pi4", "pi5", "armv7"])
def test_an_emulated_board_has_the_cpu_that_its_profile_names(name: str) -> None:
    target = load_target(name)
    assert target.emulator is not None
    assert target.emulator.cpu == target.cpu.split()[0].lower()
    features = target.emulator.features.split()
    assert set(target.isa) <= set(features)
    assert ("asimddp" in features) == ("asimddp" in target.isa)


def test_only_a_board_with_dot_products_takes_int8_activations() -> None:
    for name in resource_names("targets"):
        target = load_target(name)
        assert (target.activation == "int8") == ("asimddp" in target.isa), name


def test_32_bit_boards_have_the_legacy_runtime_only() -> None:
    assert list(load_target("armv7").runtimes) == ["tflite-runtime"]


def test_a_users_file_loads_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(PI5, encoding="utf-8")
    mine = load_target(str(path))
    assert mine.name == "mine"
    assert mine.emulator == load_target("pi5").emulator


@pytest.mark.parametrize(
    ("old", "new", "what", "at"),
    [
        ('machine = "aarch64"', 'machine = "arm"', "'machine' is 'arm'", 'machine = "aarch64"'),
        ('python = "3.11"', 'python = ">=3.11"', "'python' is '>=3.11'", 'python = "3.11"'),
        ("cores = 4", "cores = 0", "'cores' is 0", "cores = 4"),
        ("cores = 4", 'cores = "4"', "'cores' is '4', not a whole number", "cores = 4"),
        ("memory_mib = 4096", "memory_mib = -1", "'memory_mib' is -1", "memory_mib = 4096"),
        ("threads = 1", "threads = 5", "more than the 4 cores", "threads = 1"),
        ('tflite-runtime = "2.14.0"', 'tflite = "2.14.0"', "'runtimes.tflite'", 'tflite-runtime = "2.14.0"'),
        ('onnxruntime = "1.32.0"', 'onnxruntime = ">=1"', "not one exact version", 'onnxruntime = "1.32.0"'),
        ("khz = 2400000", "khz = 0", "'emulator.khz' is 0", "khz = 2400000"),
        ("part = 0xd0b", "part = 0x1d0b", "not in 0..0xfff", "part = 0xd0b"),
        ("part = 0xd0b", "", "are needed for ARM", "[emulator]"),
        ("variant = 4", "variants = 4", "unknown key 'emulator.variants'", "variant = 4"),
        ("[session]", "", "'session' is missing", None),
    ],
)
def test_a_wrong_profile_is_told_with_its_key_and_line(
    tmp_path: Path, old: str, new: str, what: str, at: str | None
) -> None:
    error = wrong(tmp_path, old, new)
    assert what in error.what
    place = str(tmp_path / "mine.toml")
    assert error.where == (place if at is None else f"{place}, line {line(at)}")


def test_an_unknown_name_is_answered_with_those_that_are_known() -> None:
    with pytest.raises(SettingsError) as caught:
        load_target("pi9")
    assert "pi5" in str(caught.value.hint)
