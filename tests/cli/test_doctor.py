"""`edgegap doctor`: calls that are refused before anything is reached. tests/run/ssh has the others."""

from __future__ import annotations

import pytest

from .harness import refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--host USER@HOST"),
        (["--host", "board"], "--target"),
        (["--host", "board", "--target", "pi9"], "pi9"),
        (["--host=-oProxyCommand=x", "--target", "pi5"], "is not the name of a host"),
        (["--host=-oProxyCommand=x", "--purge"], "is not the name of a host"),
        (["--setup-emulator", "--target", "desktop"], "cannot be emulated"),
    ],
)
def test_calls_that_are_refused(arguments: list[str], words: str) -> None:
    refused("doctor", *arguments, words=words)
