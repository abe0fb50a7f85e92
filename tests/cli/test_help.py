"""`--help` of every verb, and the catalogues of recipes and targets."""

from __future__ import annotations

import tomllib

import pytest

from edgegap import __version__
from edgegap.cli.main import main
from edgegap.resources import resource_names

from .harness import edgegap, in_subprocess, refused

VERBS = main.list_commands(None)  # type: ignore[arg-type]  # the context is not looked at


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    for option in ("--help", "-h"):
        done = edgegap(verb, option)
        assert done.status == 0
        assert f"edgegap {verb}" in done.out
        assert not done.err


def test_the_command_lists_its_verbs_and_its_version() -> None:
    done = in_subprocess("--help")
    assert done.returncode == 0
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)
    assert in_subprocess("--version").stdout.strip() == f"edgegap, version {__version__}"


@pytest.mark.parametrize(("verb", "kind"), [("recipes", "calibration"), ("targets", "targets")])
def test_a_catalogue_lists_every_file_and_shows_it_as_it_is(verb: str, kind: str) -> None:
    done = edgegap(verb, "list")
    assert done.status == 0
    names = resource_names(kind)  # type: ignore[arg-type]  # one of its literals
    assert [line.split()[0] for line in done.out.splitlines()] == names
    for name in names:
        shown = edgegap(verb, "show", name)
        assert shown.status == 0
        assert tomllib.loads(shown.out)["description"] in done.out
    refused(verb, "show", "nothing", words=("nothing", names[0]))
