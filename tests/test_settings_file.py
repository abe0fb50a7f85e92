"""A mistake in a user's TOML file is told with the line that it stands in, however the file is written."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegap.errors import SettingsError
from edgegap.settings_file import line_of, read_settings


@dataclass(frozen=True)
class Sub:
    method: Literal["a", "b"]
    count: int = 0


@dataclass(frozen=True)
class Form:
    name: str
    text: str
    words: tuple[str, ...]
    sub: Sub
    options: dict[str, str]
    other: Sub | None = None


GOOD = 'text = "t"\nwords = ["u", "v"]\n\n[sub]\nmethod = "a"\n\n[options]\n"x.y" = "1"\n'


def build(path: Path, text: str) -> Form:
    path.write_text(text, encoding="utf-8")
    return read_settings(path).build(Form, name="n")


def test_a_file_becomes_its_dataclass(tmp_path: Path) -> None:
    form = build(tmp_path / "f.toml", GOOD + '[other]\nmethod = "b"\ncount = 3\n')
    assert form == Form("n", "t", ("u", "v"), Sub("a"), {"x.y": "1"}, Sub("b", 3))


@pytest.mark.parametrize(
    ("wrong", "by", "what", "line"),
    [
        ("[sub]\n", "[sub]\nmore = 1\n", "unknown key 'sub.more'", 5),
        ('[sub]\nmethod = "a"', 'sub.method = "c"', "'sub.method' is 'c'", 4),
        ('[sub]\nmethod = "a"', 'sub = { method = "c" }', "'sub.method' is 'c'", 4),
        ('method = "a"', 'method = "a"\ncount = true', "'sub.count' is True, not a whole number", 6),
        ('method = "a"', 'method = ["a"]', r"'sub.method' is \['a'\]", 5),
        ('["u", "v"]', '[\n  "u",\n  2,\n]', r"'words' is \['u', 2\], not a list of texts", 2),
        ("text", 'name = "x"\ntext', "unknown key 'name'", 1),
        ('[sub]\nmethod = "a"', "sub = 1", "'sub' is 1, not a table", 4),
        ('[sub]\nmethod = "a"', '[[sub]]\nmethod = "a"', "'sub' is .*, not a table", 4),
        ('"x.y" = "1"', '"x.y" = 1', r"'options.x\.y' is 1, not a text", 8),
        ('method = "a"', "", "the key 'sub.method' is missing", 4),
    ],
)
def test_a_mistake_is_told_with_its_key_and_line(tmp_path: Path, wrong: str, by: str, what: str, line: int) -> None:
    with pytest.raises(SettingsError, match=what) as caught:
        build(tmp_path / "f.toml", GOOD.replace(wrong, by, 1))
    assert caught.value.where == f"{tmp_path / 'f.toml'}, line {line}"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path)


keys = st.text("abc_-. #='[]", min_size=1, max_size=4)
comments = st.sampled_from(["", "# a = 1", "   ", "# [a]", "#"])
VALUES = ["1", '"a = 1"', "'''\na = 1\n[a]\n'''", "[\n1, # a = 2\n2,\n]", '"""\n"""', '{ zz = "[b]" }', "[[1],\n[2]]"]


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[tuple[str, ...], int]]:
    """A TOML text of random tables and keys, written one statement after another, and the line that each key is on."""
    lines: list[str] = []
    found: dict[tuple[str, ...], int] = {}

    def quoted(name: str) -> str:
        plain = name.replace("-", "").replace("_", "").isalnum()
        return name if plain and draw(st.booleans()) else f'"{name}"'

    for table in draw(st.lists(keys, max_size=4, unique=True)):
        lines += draw(st.lists(comments, max_size=2))
        found[(table,)] = len(lines) + 1
        lines.append(f"[ {quoted(table)} ]" if draw(st.booleans()) else f"[{quoted(table)}] # [x]")
        for key in draw(st.lists(keys, max_size=4, unique=True)):
            lines += draw(st.lists(comments, max_size=1))
            dotted = draw(st.booleans())
            full = (table, key, "leaf") if dotted else (table, key)
            found[full] = len(lines) + 1
            name = f"{quoted(key)} . leaf" if dotted else quoted(key)
            lines += f"{name} = {draw(st.sampled_from(VALUES))}".split("\n")
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return newline.join(lines), found


@given(files())
def test_every_key_of_a_file_is_found_on_the_line_that_it_was_written_on(
    written: tuple[str, dict[tuple[str, ...], int]],
) -> None:
    text, lines = written
    values: dict[str, Any] = tomllib.loads(text)
    for key, line in lines.items():
        assert line_of(text, key) == line, key
    assert line_of(text, ("nowhere",)) is None
    assert set(values) == {key[0] for key in lines}
