"""Preprocessing records as .toml files: what is read, and what a mistake in one says."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgegap.data import PRESETS, Preprocessing, load_preprocessing
from edgegap.errors import SettingsError


def written(folder: Path, text: str | bytes) -> str:
    path = folder / "preprocess.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_names_and_files_are_read(tmp_path: Path) -> None:
    assert load_preprocessing("imagenet") == PRESETS["imagenet"]
    text = 'resize = 232\ncrop = 224\ninterpolation = "bicubic"\nchannels = "bgr"\n'
    text += "scale = 0.5\nmean = [1, 2.5, 3]\nstd = [2]"
    expected = Preprocessing(232, 224, "bicubic", "bgr", 0.5, (1, 2.5, 3), (2,))
    assert load_preprocessing(written(tmp_path, text)) == expected
    assert load_preprocessing(written(tmp_path, "")) == PRESETS["raw"]
    assert load_preprocessing(written(tmp_path, b"\xef\xbb\xbfcrop = 5\r\n")) == Preprocessing(crop=5)


@pytest.mark.parametrize(
    ("line", "key", "hint"),
    [
        ("size = 224", "size", "resize, crop, interpolation, channels, scale, mean, std"),
        ("[normalize]", "normalize", "Allowed keys"),
        ('resize = "256"', "resize", "whole number"),
        ("resize = 0", "resize", "1 to 65535"),
        ("resize = true", "resize", "whole number"),
        ("crop = 22.4", "crop", "whole number"),
        ('interpolation = "cubic"', "interpolation", "bilinear, bicubic, nearest, lanczos"),
        ("interpolation = []", "interpolation", "bilinear"),
        ('"channels" = "RGB"', "channels", "rgb, bgr, grey"),
        ("scale = 0", "scale", "not 0"),
        ("scale = inf", "scale", "number"),
        ("mean = 0.5", "mean", "list of 1 or 3 numbers"),
        ("mean = [1, 2]", "mean", "list of 1 or 3 numbers"),
        ("mean = [nan]", "mean", "list of 1 or 3 numbers"),
        ("std = [1, 0.0, 1]", "std", "not 0"),
        ("std = ['1']", "std", "numbers"),
    ],
)
def test_a_mistake_is_told_with_file_line_key_and_what_is_allowed(
    tmp_path: Path, line: str, key: str, hint: str
) -> None:
    path = written(tmp_path, f"# values of the training script\n\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        load_preprocessing(path)
    assert caught.value.where == f"{path}:3: {key}"
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "key"),
    [("resize = 200\ncrop = 224", "crop"), ('channels = "grey"\nmean = [1, 2, 3]', "mean")],
)
def test_values_that_contradict_each_other_are_a_mistake(tmp_path: Path, text: str, key: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_preprocessing(path)
    assert caught.value.where == f"{path}:2: {key}"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError) as caught:
        load_preprocessing("imagnet")
    assert "imagenet, cifar10, unit, raw" in str(caught.value.hint)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file") as caught:
        load_preprocessing(str(tmp_path / "none.toml"))
    assert caught.value.where == str(tmp_path / "none.toml")


@pytest.mark.parametrize("text", [b"mean = [", b"\xff\xfe", b"scale = " + b"9" * 5000, b"mean = " + b"[" * 100_000])
def test_what_is_not_toml_is_told(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(SettingsError, match="not a TOML file"):
        load_preprocessing(written(tmp_path, text))


toml_values = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.text(alphabet="abgr'\"[]{}=,. \n0", max_size=12),
    st.sampled_from(["[]", "[[1]]", "{a = 1}", "true", "1979-05-27", '"rgb"', "1" + "0" * 400, "[1e308, 1, 1]"]),
)
toml_lines = st.tuples(st.sampled_from([*PRESETS["raw"].to_json(), "other", "a.b", "[t]"]), toml_values)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(toml_lines, max_size=4).map(lambda lines: "\n".join(f"{k} = {v}" for k, v in lines).encode()),
    )
)
def test_random_files_give_a_record_or_a_settings_error(tmp_path: Path, content: bytes) -> None:
    with contextlib.suppress(SettingsError):
        assert load_preprocessing(written(tmp_path, content)).table(3).shape[1] == 256
