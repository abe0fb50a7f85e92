"""Which names reach ssh."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegap.errors import InputError
from edgegap.run.ssh.host import checked_host


@pytest.mark.parametrize(
    "host",
    ["board", "pi@raspberrypi.local", "pi@10.0.0.2", "pi@fe80::1%eth0", "[::1]", "ssh://pi@board:2222", "a-b_c.d+e@x"],
)
def test_names_of_hosts_are_taken(host: str) -> None:
    assert checked_host(host) == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        "-oProxyCommand=touch pwned",
        "-oProxyCommand=pwned",
        "pi@-oProxyCommand=pwned",
        "ssh://-oProxyCommand=pwned",
        "board; touch pwned",
        "$(touch)",
        "`touch`",
        "two words",
        "it's",
        '"board"',
        "board\n",
        "board\t",
        "a@b@c",
        "pi@",
    ],
)
def test_other_words_are_refused(host: str) -> None:
    with pytest.raises(InputError):
        checked_host(host)


@given(st.text())
def test_what_is_taken_is_neither_an_option_nor_anything_to_a_shell(text: str) -> None:
    try:
        checked_host(text)
    except InputError:
        return
    assert not text.startswith("-")
    assert "@-" not in text
    assert not set(text) & set(" \t\r\n\0'\"`$;&|<>(){}*?!#~\\")
    assert "=" not in text


def test_a_taken_name_is_one_word_to_a_shell() -> None:
    host = "ssh://pi@board-1.local:2222"
    echoed = subprocess.run(
        ["sh", "-c", f"printf '<%s>' {checked_host(host)}"], capture_output=True, text=True, check=True
    )
    assert echoed.stdout == f"<{host}>"
